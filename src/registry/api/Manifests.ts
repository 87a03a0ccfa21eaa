// Manifests of a repository: look, fetch, push. Source: OCI distribution-spec, "Pulling manifests" and "Pushing manifests".
// Edge: what an answer says of a manifest is ManifestAnswer.ts.
import { Effect, Option } from "effect"
import { firstOf } from "../../http/HeaderValues.ts"
import { pageOf } from "../../http/WebPage.ts"
import { type Digest, isAnother, isDigest } from "../../image/Digest.ts"
import { acceptManifests } from "../../image/ManifestDocument.ts"
import { type Repository, targetOf } from "../../image/Repository.ts"
import type { Spec } from "../auth/Attempt.ts"
import type { Access } from "../auth/Identities.ts"
import { refusal } from "../Classify.ts"
import type { Reachability } from "../Reachability.ts"
import { isAbsent, type RegistryError, registryError } from "../RegistryError.ts"
import { retrying } from "../Retry.ts"
import type { Answer } from "../transport/Transport.ts"
import { headIn, isArtifactory, manifestIn, tooLarge } from "./ManifestAnswer.ts"
import type { ApiParts, Wanted } from "./Requests.ts"
import { makeSecondLook } from "./SecondLook.ts"

/** What a HEAD tells of a manifest. */
export interface ManifestHead {
  readonly digest: Digest
  readonly mediaType: string
  /** The registry counts what is read of it, or may: it announced a budget, or answered no HEAD. */
  readonly metered: boolean
}

/** A manifest's bytes with their own digest; that of a signed one of Docker's schema 1 is the digest of what is signed. */
export interface Manifest {
  readonly bytes: Uint8Array
  readonly mediaType: string
  readonly digest: Digest
}

export interface Manifests {
  /**
   * None where the registry says that it is not there. `first`: nothing is lost yet where a registry that gives no answer is
   * not asked again, or not at all (Reachability.ts); and of a source's tag a GET may be made before it is called missing
   * (SecondLook.ts), whose `NotFound` says why.
   */
  readonly headManifest: (
    repository: Repository,
    reference: string,
    first?: boolean
  ) => Effect.Effect<Option.Option<ManifestHead>, RegistryError>
  /** Fails with `Corrupt` when the bytes are not those of the digest that was asked for. */
  readonly getManifest: (
    repository: Repository,
    reference: string,
    first?: boolean
  ) => Effect.Effect<Manifest, RegistryError>
  /** Only below the backup's prefix; anything else fails with `Refused`. */
  readonly putManifest: (
    repository: Repository,
    reference: string,
    manifest: Manifest
  ) => Effect.Effect<void, RegistryError>
}

/** A HEAD cannot say what these mean: a GET is asked, whoever is asked. */
const byGet: ReadonlySet<number> = new Set([200, 403, 405, 501])
/** About who asks and when, and not about the image. */
const passing: ReadonlySet<number> = new Set([401, 407, 408, 425, 429, 499])

/** Asking again would not help. */
const isFinal = ({ status }: Answer): boolean => status >= 400 && status < 500 && !passing.has(status)

const about = (method: Spec["method"], repository: Repository, reference: string): Wanted => ({
  operation: `${method} manifest`,
  target: targetOf(repository, reference),
  method,
  repository,
  path: `/v2/${repository.repository}/manifests/${reference}`
})

/** Refused because the tag is there, whatever it is. */
const isThere = ({ detail, reason }: RegistryError): boolean => reason === "Immutable" && /already exists/i.test(detail)

const makePutManifest = ({ limits, requests, session }: ApiParts): Manifests["putManifest"] => {
  const retry = retrying(limits)
  return Effect.fnUntraced(function*(repository, reference, manifest) {
    const request = yield* requests.write({
      ...about("PUT", repository, reference),
      headers: { "content-type": manifest.mediaType },
      body: manifest.bytes,
      most: limits.manifestBytes
    })
    if (manifest.bytes.length > limits.manifestBytes) {
      return yield* registryError({ ...request, reason: "TooLarge", detail: tooLarge(manifest.bytes, limits) })
    }
    const answer = yield* retry(Effect.filterOrElse(
      session.send(request),
      // a page that a login shows to every request is no receipt; that something was created no such page says (Quay: "OK", as HTML)
      (it) => it.status === 201 || (it.status >= 200 && it.status < 300 && pageOf(it) === undefined),
      (it) => refusal(request, it)
    ))
    const told = firstOf(answer.headers["docker-content-digest"])
    if (isAnother(told, manifest.digest)) {
      const detail = `the registry stored ${told} instead of ${manifest.digest}`
      return yield* registryError({ ...request, reason: "Corrupt", detail })
    }
  })
}

interface ReadParts extends ApiParts {
  readonly access: Access
  /** Whether a registry has ever said how much may be read of it. */
  readonly announcesBudget: (registry: string) => boolean
}

/** Single requests, and what their answers come to. */
const makeReads = ({ access, announcesBudget, limits, requests, session }: ReadParts) => {
  const secondLook = makeSecondLook()

  const reading = (method: "GET" | "HEAD", repository: Repository, reference: string, anonymous: boolean): Spec =>
    requests.read({
      ...about(method, repository, reference),
      headers: { accept: acceptManifests },
      cost: method === "GET" ? "counted" : "free",
      most: access.roleOf(repository) === "backup" ? limits.manifestBytes : limits.sourceManifestBytes,
      hides: true,
      anonymous
    })

  /** In the backup: whether the login may write is found out by writing. */
  const hidden = (repository: Repository, answer: Answer): boolean =>
    answer.status === 403 && access.roleOf(repository) === "backup" && isArtifactory(answer)

  const fetchOnce = Effect.fnUntraced(function*(repository: Repository, reference: string, anonymous: boolean) {
    const request = reading("GET", repository, reference, anonymous)
    const answer = yield* session.send(request)
    if (hidden(repository, answer)) {
      const detail = "Artifactory does not show it"
      return yield* registryError({ ...request, reason: "NotFound", status: 403, detail })
    }
    if (answer.status !== 200) return yield* refusal(request, answer)
    const manifest = yield* manifestIn(request, answer, reference, limits)
    // a login page is shown to anybody too: what proves something is a manifest
    if (answer.anonymous) yield* access.provenPublic(repository)
    return manifest
  })

  /** Once more by GET, where the HEAD of a source's tag was refused; else what the HEAD comes to. */
  const lookedTwice = (repository: Repository, reference: string, first: boolean, request: Spec, answer: Answer) => {
    const asHead = answer.status === 404 ? Effect.succeed(Option.none<ManifestHead>()) : refusal(request, answer)
    const isSourceTag = access.roleOf(repository) === "source" && !isDigest(reference)
    // whoever is not the first wants to know what the tag names now, and not an hour ago
    if (!first || !isSourceTag || !isFinal(answer)) return asHead
    const metered = answer.headers["ratelimit-limit"] !== undefined || announcesBudget(repository.registry)
    const get = Effect.map(
      fetchOnce(repository, reference, false),
      ({ digest, mediaType }) => Option.some({ digest, mediaType, metered: true })
    )
    return secondLook.after({ repository, reference, mayGet: !metered }, get, asHead)
  }

  /** `first`: nobody has asked yet, and a second look is worth it. */
  const headOnce = Effect.fnUntraced(function*(
    repository: Repository,
    reference: string,
    anonymous: boolean,
    first: boolean
  ) {
    const request = reading("HEAD", repository, reference, anonymous)
    const answer = yield* session.send(request)
    if (hidden(repository, answer)) return Option.none<ManifestHead>()
    const head = answer.status === 200 ? headIn(answer, reference) : undefined
    if (head !== undefined) {
      if (answer.anonymous) yield* access.provenPublic(repository)
      yield* secondLook.answersHeads(repository.registry)
      return Option.some(head)
    }
    // a HEAD has no body to say why: 403 can be a rate limit, 405 and 501 a registry without HEAD, 200 may lack the digest;
    // and what is wrong with the backup, a policy or TLS that it wants, people have to know
    const isWrong = access.roleOf(repository) === "backup" && isFinal(answer) && answer.status !== 404 &&
      !announcesBudget(repository.registry)
    if (!byGet.has(answer.status) && !isWrong) return yield* lookedTwice(repository, reference, first, request, answer)
    return yield* fetchOnce(repository, reference, anonymous).pipe(
      Effect.map(({ digest, mediaType }) => Option.some({ digest, mediaType, metered: true })),
      Effect.catchIf(isAbsent, () => Effect.succeedNone)
    )
  })

  return { fetchOnce, headOnce }
}

export const makeManifests = (
  options: ReadParts & {
    readonly reachability: Reachability
    /** Whether first questions leave registries alone that give no answer; asked at every question. */
    readonly spareSilent: () => boolean
  }
): Manifests => {
  const { access, limits, reachability, spareSilent } = options
  const retry = retrying(limits)
  const { fetchOnce, headOnce } = makeReads(options)

  /** Asks as often as is worth it. */
  const asking = (method: "GET" | "HEAD", repository: Repository, reference: string, first: boolean) => {
    const { operation, target } = about(method, repository, reference)
    return <A>(attempt: Effect.Effect<A, RegistryError>) =>
      retry(
        Effect.suspend(() =>
          reachability.ask(
            { operation, target, registry: repository.registry, spares: first && spareSilent() },
            attempt
          )
        )
      )
  }

  /** A login waits for the proof that anybody may read the repository. */
  const prove = Effect.fnUntraced(function*(repository: Repository, reference: string) {
    if (yield* access.needsProof(repository)) yield* headOnce(repository, reference, true, false)
  })

  const headManifest: Manifests["headManifest"] = (repository, reference, first = false) =>
    asking("HEAD", repository, reference, first)(headOnce(repository, reference, false, first))

  const put = makePutManifest(options)
  /** ECR refuses to set an immutable tag to what it is: an answer that got lost is no failure. */
  const putManifest: Manifests["putManifest"] = Effect.fnUntraced(function*(repository, reference, manifest) {
    const refused = yield* Effect.flip(put(repository, reference, manifest)).pipe(Effect.orElseSucceed(() => undefined))
    if (refused === undefined) return
    if (!isThere(refused)) return yield* refused
    const head = yield* Effect.orElseSucceed(headManifest(repository, reference), () => Option.none<ManifestHead>())
    if (Option.isNone(head) || head.value.digest !== manifest.digest) return yield* refused
  })

  return {
    headManifest,
    getManifest: (repository, reference, first = false) =>
      asking("GET", repository, reference, first)(
        Effect.andThen(prove(repository, reference), fetchOnce(repository, reference, false))
      ),
    putManifest
  }
}
