// Where a source image lives in the backup: an injective map from repositories to repositories under the prefix.
// Edge: pure names; whether anything is there is the registry's to say. Scheme: nested `<prefix>/<host>/<path>` or
// flat `<prefix>/<slug>-<hash>`; names that are too long or not legal at the target go to `<prefix>/hash_sha256/…`.
import { Data, Option, Result } from "effect"
import ipaddr from "ipaddr.js"
import { createHash } from "node:crypto"
import { cloudOf } from "./CloudNames.ts"
import { algorithmOf, type Digest, hexOf, isDigest } from "./Digest.ts"
import { canonicalRegistry, formatName, type ImageReference, isRepository, parse } from "./ImageReference.ts"

/** A backup registry with the part of it that is ours. */
export interface Backup {
  readonly registry: string
  /** At least one path component, without slashes at the ends. */
  readonly prefix: string
  readonly layout: "nested" | "flat"
}

/** BACKUP_REGISTRY or BACKUP_LAYOUT cannot work; the user must change the setting. */
export class InvalidBackup extends Data.TaggedError("InvalidBackup")<{
  readonly text: string
  readonly problem: string
}> {
  override get message() {
    return `${JSON.stringify(this.text)} is not a backup registry: ${this.problem}; ` +
      "wanted is host[:port]/prefix, as in quay.io/example"
  }
}

// Docker Hub knows namespace/name only, quay.io historically too. A table, never a probe: names must not change.
const flatByDefault: ReadonlySet<string> = new Set(["docker.io", "quay.io"])

// `host[:port]/name` is capped at 255 by many clients (OCI distribution-spec). Prefix 128 + marker + slug + hash fit.
const maximumName = 255
const maximumPrefix = 128
const maximumSlug = 80
const marker = "hash_sha256"

// ECR's grammar was narrower than OCI's when names were given here: one separator at a time (no "__", no "--").
const ecrName = /^[a-z0-9]+(?:[._-][a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-][a-z0-9]+)*)*$/

const isLegalAt = (registry: string, repository: string): boolean =>
  `${registry}/${repository}`.length <= maximumName && isRepository(repository) &&
  (cloudOf(registry) !== "aws" || ecrName.test(repository))

/** Parses BACKUP_REGISTRY. `auto` is flat on docker.io and quay.io, else nested. */
export const parseBackup = (
  text: string,
  layout: "auto" | "nested" | "flat"
): Result.Result<Backup, InvalidBackup> => {
  const invalid = (problem: string) => Result.fail(new InvalidBackup({ text, problem }))
  if (text.includes("://")) return invalid("it must not begin with a scheme (plain HTTP is PLAIN_HTTP_REGISTRIES)")
  const slash = text.indexOf("/")
  if (slash === -1) return invalid("the prefix is missing")
  const host = text.slice(0, slash)
  if (host !== "localhost" && !/[.:]/.test(host)) return invalid(`${JSON.stringify(host)} is not a host name`)
  const registry = canonicalRegistry(host)
  if (Result.isFailure(registry)) return invalid(registry.failure)
  const prefix = text.slice(slash + 1)
  if (/[:@]/.test(prefix)) return invalid("it must have neither tag nor digest")
  if (!isRepository(prefix)) {
    return invalid(`the prefix ${JSON.stringify(prefix)} is not a lower-case path`)
  }
  if (registry.success.length + prefix.length > maximumPrefix) {
    return invalid(`host and prefix have more than ${maximumPrefix} characters`)
  }
  if (!isLegalAt(registry.success, prefix)) return invalid(`${registry.success} does not allow this prefix`)
  const chosen = layout === "auto" ? flatByDefault.has(registry.success) ? "flat" : "nested" : layout
  if (registry.success === "docker.io" && (prefix.includes("/") || chosen === "nested")) {
    return invalid("Docker Hub has two levels only, so the prefix must be one name and BACKUP_LAYOUT flat or auto")
  }
  return Result.succeed({ registry: registry.success, prefix, layout: chosen })
}

const addressAndPort = /^\[(.+)\](?::(\d+))?$/

// "_" never occurs in a host name, so neither `host_port` nor `ip6_…` can be the encoding of another host.
const encodeHost = (registry: string): string => {
  const address = addressAndPort.exec(registry)
  if (address?.[1] === undefined) return registry.replace(":", "_")
  const hex = ipaddr.IPv6.parse(address[1]).parts.map((part) => part.toString(16).padStart(4, "0")).join("")
  return `ip6_${hex}${address[2] === undefined ? "" : `_${address[2]}`}`
}

const decodeHost = (text: string): string => {
  const [name = "", ...rest] = text.split("_")
  if (name !== "ip6") return [name, ...rest].join(":")
  const [hex = "", port] = rest
  const address = hex.match(/.{1,4}/g)?.join(":") ?? ""
  const canonical = ipaddr.IPv6.isValid(address) ? ipaddr.IPv6.parse(address).toRFC5952String() : address
  return `[${canonical}]${port === undefined ? "" : `:${port}`}`
}

const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

/** The first 130 bits of SHA-256 in lower-case base32 (RFC 4648 §6, no padding). */
const hash = (text: string): string => {
  const bytes = createHash("sha256").update(text).digest()
  let out = ""
  for (let bit = 0; bit < 130; bit += 5) {
    const pair = (bytes.readUInt16BE(bit >> 3) >> (11 - (bit & 7))) & 31
    out += alphabet.charAt(pair)
  }
  return out
}

// The hash is always there: "only when truncated" would let a source be named like another's hashed name.
const component = (source: Pick<ImageReference, "registry" | "repository">): string => {
  const canonical = `${source.registry}/${source.repository}`
  const slug = canonical.replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "").slice(0, maximumSlug)
  return `${slug.replace(/-$/, "")}-${hash(canonical)}`
}

const repositoryOf = (backup: Backup, source: Pick<ImageReference, "registry" | "repository">): string => {
  if (backup.layout === "flat") return `${backup.prefix}/${component(source)}`
  const nested = `${backup.prefix}/${encodeHost(source.registry)}/${source.repository}`
  return isLegalAt(backup.registry, nested) ? nested : `${backup.prefix}/${marker}/${component(source)}`
}

/**
 * The name of a source image in the backup. Two sources never share one (flat and hashed names: but for a collision of
 * 130 bits of SHA-256). The form is kept: no tag gives ":latest", a tag, a digest, or both stay what they are.
 */
export const backupOf = (backup: Backup, source: ImageReference): ImageReference => ({
  registry: backup.registry,
  repository: repositoryOf(backup, source),
  ...(source.tag === undefined ? source.digest === undefined ? { tag: "latest" } : {} : { tag: source.tag }),
  ...(source.digest === undefined ? {} : { digest: source.digest })
})

/**
 * The name of a copy that was converted from Docker's schema 1: the backup does not know the digest that the source is named
 * by, and keeps the copy under that digest's protection tag.
 */
export const convertedBackupOf = (backup: Backup, source: ImageReference): ImageReference => {
  const { digest, registry, repository, tag } = backupOf(backup, source)
  return { registry, repository, tag: digest === undefined ? tag : protectionTag(digest) }
}

/** Whether `present` is in the repository that holds the copies of `source`, whatever its tag or digest. */
export const isCopyRepository = (backup: Backup, source: ImageReference, present: ImageReference): boolean =>
  isUnder(backup, present) && repositoryOf(backup, source) === present.repository

/** Is this reference in our part of the backup registry? Decided on parsed parts, never on substrings. */
export const isUnder = (backup: Backup, reference: ImageReference): boolean =>
  reference.registry === backup.registry &&
  (reference.repository === backup.prefix || reference.repository.startsWith(`${backup.prefix}/`))

// what flat and hashed names end with: 130 bits in base32
const hashed = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?-[a-z2-7]{26}$/

/** Whether what stands under a prefix has the form of a copy. A first component with neither dot nor port is no host. */
const looksCopied = (prefix: string, reference: ImageReference): boolean => {
  const [first = "", second, ...more] = reference.repository.slice(prefix.length + 1).split("/")
  if (second === undefined) return hashed.test(first)
  if (first === marker) return more.length === 0 && hashed.test(second)
  const source = sourceOf({ registry: reference.registry, prefix, layout: "nested" }, reference)
  return Option.isSome(source) && /[.:]/.test(source.value.registry)
}

/** Whether a path ends as any backup would call the copy of `source`, whatever its prefix. */
const isNamedAfter = ({ repository }: ImageReference, source: ImageReference): boolean =>
  [component(source), `${encodeHost(source.registry)}/${source.repository}`].some((it) => repository.endsWith(`/${it}`))

/**
 * Whether an image that is not under our prefix is a copy that another backup made of one of ours, or ours by another host name: a
 * copy of it would carry our prefix twice, and the copy of that thrice. Told by our prefix in its path with the name of a copy
 * after it; where hashes hide that, by what its originals annotation says it was copied from.
 * @param recorded what the image replaced, if anything says so
 */
export const isForeignCopy = (backup: Backup, reference: ImageReference, recorded?: ImageReference): boolean => {
  if (isUnder(backup, reference)) return false
  if (recorded !== undefined && isUnder(backup, recorded) && isNamedAfter(reference, recorded)) return true
  const path = `/${reference.repository}`
  const wanted = `/${backup.prefix}/`
  for (let at = path.indexOf(wanted); at !== -1; at = path.indexOf(wanted, at + 1)) {
    if (looksCopied(path.slice(1, at + wanted.length - 1), reference)) return true
  }
  return false
}

/** The inverse of a nested name, tag and digest carried over, a protection tag as what it keeps; none for flat, hashed and foreign names. */
export const sourceOf = (backup: Backup, reference: ImageReference): Option.Option<ImageReference> => {
  if (backup.layout !== "nested" || !isUnder(backup, reference)) return Option.none()
  const rest = reference.repository.slice(backup.prefix.length + 1)
  const slash = rest.indexOf("/")
  const host = rest.slice(0, Math.max(slash, 0))
  if (host === "" || host === marker) return Option.none()
  const kept = keptBy(reference.tag)
  const source = {
    ...(kept === undefined ? reference : { digest: kept }),
    registry: decodeHost(host),
    repository: rest.slice(slash + 1)
  }
  const canonical = parse(formatName(source))
  if (Result.isFailure(canonical)) return Option.none()
  // only what the map really produces counts: a name somebody else pushed there has no source
  const { registry, repository } = canonical.success
  return registry === source.registry && repository === source.repository &&
      repositoryOf(backup, source) === reference.repository
    ? Option.some(source)
    : Option.none()
}

/**
 * The tag that keeps a digest from being collected as untagged. Not `sha256-<hex>`: that is the referrers' fallback tag
 * (OCI distribution-spec, "Referrers Tag Schema"). Longer digests are cut to 96 digits to stay under 128.
 */
export const protectionTag = (digest: Digest): string => `at-${algorithmOf(digest)}-${hexOf(digest).slice(0, 96)}`

const protection = /^at-(sha256|sha384|sha512)-[a-f0-9]{64,96}$/

/** Is this tag one of those that keep digests? A source's tag of this form may name nothing else in the backup. */
export const isProtectionTag = (tag: string): boolean => protection.test(tag)

/** The digest that a protection tag keeps; undefined for other tags, and where it was cut. */
export const keptBy = (tag: string | undefined): Digest | undefined => {
  const [, algorithm, hex] = (tag === undefined ? null : protection.exec(tag)) ?? []
  const digest = `${algorithm}:${hex}`
  return isDigest(digest) ? digest : undefined
}
