// Image references: the grammar and normalisation of distribution/reference (regexp.go, normalize.go), which is what
// kubelet, containerd and docker use. Edge: text in, parts out; what a name maps to in the backup is BackupName.ts.
import { Data, Result } from "effect"
import ipaddr from "ipaddr.js"
import { remembered } from "../collections/Remembered.ts"
import { type Digest, isDigest } from "./Digest.ts"

/** A parsed reference. Tag and digest are absent when the text had none; "latest" is added by `format` only. */
export interface ImageReference {
  /** Canonical `host[:port]`: lower case, docker.io's aliases folded, ":443" dropped, IPv6 in RFC 5952 form. */
  readonly registry: string
  readonly repository: string
  readonly tag?: string | undefined
  readonly digest?: Digest | undefined
}

/** The text is no image reference; it can never be pulled, so nobody should retry it. */
export class InvalidReference extends Data.TaggedError("InvalidReference")<{
  readonly text: string
  readonly problem: string
}> {
  override get message() {
    return `${JSON.stringify(this.text)} is not an image reference: ${this.problem}`
  }
}

const alphanumeric = "[a-z0-9]+"
const pathComponent = `${alphanumeric}(?:(?:[._]|__|-+)${alphanumeric})*`
const domainComponent = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"

const domainShape = new RegExp(`^(${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::([0-9]+))?$`)
const repositoryShape = new RegExp(`^${pathComponent}(?:/${pathComponent})*$`)
const tagShape = /^\w[\w.-]{0,127}$/
const identifierShape = /^[a-f0-9]{64}$/

const defaultRegistry = "docker.io"
const aliases: ReadonlySet<string> = new Set([
  "index.docker.io",
  "registry-1.docker.io",
  "registry.hub.docker.com"
])

/** True for a legal repository path, `a/b/c` (OCI distribution-spec, "Pulling manifests", `<name>`). */
export const isRepository = (text: string): boolean => text.length <= 255 && repositoryShape.test(text)

/** True for a legal tag. */
export const isTag = (text: string): boolean => tagShape.test(text)

/** The canonical form of `host[:port]`, or why it is none. */
export const canonicalRegistry = (text: string): Result.Result<string, string> => {
  const match = domainShape.exec(text)
  const host = match?.[1]
  if (host === undefined) return Result.fail(`${JSON.stringify(text)} is not a host name with an optional port`)
  const port = match?.[2] === undefined ? undefined : Number(match[2])
  if (port !== undefined && (port < 1 || port > 65535)) return Result.fail(`${match?.[2]} is not a port`)
  let name = host.toLowerCase()
  if (name.startsWith("[")) {
    const address = name.slice(1, -1)
    if (!ipaddr.IPv6.isValid(address)) return Result.fail(`${name} is not an IPv6 address`)
    name = `[${ipaddr.IPv6.parse(address).toRFC5952String()}]`
  }
  if (port !== undefined && port !== 443) return Result.succeed(`${name}:${port}`)
  return Result.succeed(aliases.has(name) ? defaultRegistry : name)
}

/** distribution's splitDockerDomain: the first component is a host iff it is localhost, has a dot, a colon or a capital. */
const splitRegistry = (text: string): readonly [registry: string, remainder: string] => {
  const slash = text.indexOf("/")
  if (slash === -1) return [defaultRegistry, text]
  const first = text.slice(0, slash)
  return first === "localhost" || /[.:A-Z]/.test(first)
    ? [first, text.slice(slash + 1)]
    : [defaultRegistry, text]
}

const read = (text: string): Result.Result<ImageReference, InvalidReference> => {
  const invalid = (problem: string) => Result.fail(new InvalidReference({ text, problem }))
  if (text === "") return invalid("it is empty")
  if (identifierShape.test(text)) return invalid("64 hexadecimal digits are an image id, not a name")
  const [host, remainder] = splitRegistry(text)

  const registry = canonicalRegistry(host)
  if (Result.isFailure(registry)) return invalid(registry.failure)

  const at = remainder.indexOf("@")
  const named = at === -1 ? remainder : remainder.slice(0, at)
  const digest = at === -1 ? undefined : remainder.slice(at + 1)
  const colon = named.indexOf(":")
  const path = colon === -1 ? named : named.slice(0, colon)
  const tag = colon === -1 ? undefined : named.slice(colon + 1)

  if (path === "") return invalid("the repository is missing")
  if (path !== path.toLowerCase()) return invalid("the repository must be lower case")
  const repository = registry.success === defaultRegistry && !path.includes("/") ? `library/${path}` : path
  if (!repositoryShape.test(repository)) return invalid(`${JSON.stringify(path)} is not a repository name`)
  if (repository.length > 255) return invalid("the repository has more than 255 characters")
  if (tag !== undefined && !isTag(tag)) return invalid(`${JSON.stringify(tag)} is not a tag`)
  if (digest === undefined) {
    return Result.succeed({ registry: registry.success, repository, ...(tag === undefined ? {} : { tag }) })
  }
  if (!isDigest(digest)) {
    return invalid(`${JSON.stringify(digest)} is not a sha256, sha384 or sha512 digest in lower-case hex`)
  }
  return Result.succeed({ registry: registry.success, repository, ...(tag === undefined ? {} : { tag }), digest })
}

/**
 * Parses an image reference as kubelet does.
 * Source: distribution/reference `ParseNormalizedNamed`; aliases of docker.io and default ports are folded on top.
 */
export const parse: (text: string) => Result.Result<ImageReference, InvalidReference> = remembered(1024, read)

/** `registry/repository`, without tag and digest. A host that would read back as a path gets its port spelled out. */
export const formatName = (reference: Pick<ImageReference, "registry" | "repository">): string => {
  const { registry, repository } = reference
  const readsAsHost = registry === "localhost" || /[.:]/.test(registry)
  return `${readsAsHost ? registry : `${registry}:443`}/${repository}`
}

/** Canonical and complete text: equal references give equal text, and `parse` gives the reference back. */
export const format = (reference: ImageReference): string => {
  const tag = reference.tag ?? (reference.digest === undefined ? "latest" : undefined)
  return formatName(reference) +
    (tag === undefined ? "" : `:${tag}`) +
    (reference.digest === undefined ? "" : `@${reference.digest}`)
}

/** Whether two texts name the same image: equal, or equal in their canonical form. */
export const isSame = (one: string, other: string): boolean => {
  if (one === other) return true
  const [a, b] = [parse(one), parse(other)]
  return Result.isSuccess(a) && Result.isSuccess(b) && format(a.success) === format(b.success)
}
