// Schemas from which property tests draw references, hosts and backups. Edge: legal values only.
import { Schema } from "effect"
import type { Digest } from "../../src/image/Digest.ts"
import type { ImageReference } from "../../src/image/ImageReference.ts"

const label = "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?"
const component = "[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}"

/** Hosts of every form: dotted, with ports, single labels, IPv6, Docker Hub. */
const host = Schema.Union([
  Schema.Literals([
    "docker.io",
    "localhost",
    "localhost:5000",
    "quay.io",
    "ghcr.io:8443",
    "[::1]",
    "[2001:db8::1]:5000"
  ]),
  Schema.String.check(Schema.isPattern(new RegExp(`^${label}(\\.${label}){1,3}(:[1-9][0-9]{0,3})?$`)))
])

const path = Schema.String.check(Schema.isPattern(new RegExp(`^${component}(/${component}){1,4}$`)))

const longPath = Schema.String.check(Schema.isPattern(/^[a-z0-9]{40}(\/[a-z0-9]{25}){5,8}$/))

const tag = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/))

const hex = Schema.String.check(Schema.isPattern(/^[a-f0-9]{64}$/))

/** What identifies a source, in parts a test can put together. */
export const parts = Schema.Struct({
  host,
  path: Schema.Union([path, longPath]),
  tag: Schema.UndefinedOr(tag),
  hex: Schema.UndefinedOr(hex)
})

export const toText = (it: typeof parts.Type): string =>
  `${it.host}/${it.path}${it.tag === undefined ? "" : `:${it.tag}`}${it.hex === undefined ? "" : `@sha256:${it.hex}`}`

export const digestOf = (digits: string): Digest => `sha256:${digits.padEnd(64, "0").slice(0, 64)}`

export const reference = (
  registry: string,
  repository: string,
  more: Pick<ImageReference, "tag" | "digest"> = {}
): ImageReference => ({ registry, repository, ...more })
