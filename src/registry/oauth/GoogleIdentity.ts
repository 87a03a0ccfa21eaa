// GoogleIdentity: Google as a provider of logins to Artifact Registry and Container Registry: one access token opens them all. It is
// that of the pod or the node, by the metadata service, or of what GOOGLE_APPLICATION_CREDENTIALS or gcloud's own file names.
// Sources: "Application Default Credentials", Artifact Registry "Access token". Edge: files are read by Google's library behind
// GoogleLibrary.ts, which is loaded for nothing else: it would ask metadata services through proxies.
import { Clock, Effect, FileSystem, Redacted } from "effect"
import { basic } from "../auth/DockerConfig.ts"
import { isPassing, metadataWordsOf, tokenIn } from "./CloudAnswer.ts"
import { CloudError } from "../identity/CloudError.ts"
import type { CloudProvider } from "../identity/CloudProvider.ts"
import type { CloudRequests } from "./CloudRequests.ts"
import type { CloudToken } from "../identity/CloudTokens.ts"
import type { GoogleToken } from "./GoogleLibrary.ts"
import { ownVariable } from "./OwnVariable.ts"
import type { SdkRequests } from "../identity/SdkRequests.ts"

/** The part of GoogleLibrary.ts that is asked; tests have another. */
export interface GoogleLibrary {
  readonly tokenOfFile: (requests: SdkRequests) => Promise<GoogleToken>
}

/** The name that goes with an access token. */
const username = "oauth2accesstoken"
/** For all that one question takes: a token of STS, and with it one of a service account. */
const patience = "30 seconds"
/** Milliseconds of a token that does not say when it ends. */
const usualLife = 3_600_000

const metadataHost = "169.254.169.254"
const account = "/computeMetadata/v1/instance/service-accounts/default"

/** Where the variables say that who we are is found. */
const whereabouts = Effect.gen(function*() {
  const named = yield* ownVariable("GOOGLE_APPLICATION_CREDENTIALS")
  const home = yield* ownVariable("HOME")
  const folder = (yield* ownVariable("CLOUDSDK_CONFIG")) ?? (home === undefined ? undefined : `${home}/.config/gcloud`)
  const host = (yield* ownVariable("GCE_METADATA_IP")) ?? (yield* ownVariable("GCE_METADATA_HOST")) ?? metadataHost
  const metadata = /^https?:\/\//.test(host) ? host : `http://${host}`
  return {
    named,
    wellKnown: folder === undefined ? undefined : `${folder}/application_default_credentials.json`,
    metadata: URL.canParse(metadata) ? new URL(metadata) : new URL(`http://${metadataHost}`)
  }
})

/** What the library says, and whether it is a refusal for good: an answer of 4xx. A file may be there later. */
const libraryFailure = (error: unknown): { readonly detail: string; readonly retryable: boolean } => {
  const status = typeof error === "object" && error !== null && "status" in error ? Number(error.status) : Number.NaN
  return {
    detail: error instanceof Error ? error.message : String(error),
    retryable: !(status >= 400 && status < 500 && status !== 429)
  }
}

const failure = (resource: string, identity: string) => (detail: string, retryable: boolean) =>
  new CloudError({ cloud: "Google", identity, action: "an access token", resource, detail, retryable })

/** Asks the metadata service of a pod or node for its service account's token. */
const makeByMetadata = (requests: CloudRequests, metadata: URL) => {
  const ask = (path: string) =>
    requests.send({
      url: new URL(`${account}/${path}`, metadata),
      headers: { "metadata-flavor": "Google" },
      isMetadata: true
    })
  return Effect.fnUntraced(function*(resource: string): Effect.fn.Return<CloudToken, CloudError> {
    const failed = failure(resource, `the service account of this pod or node, by ${metadata.host}`)
    const answer = yield* Effect.mapError(
      ask("token"),
      ({ detail }) => failed(`the metadata service does not answer: ${detail}`, true)
    )
    const now = yield* Clock.currentTimeMillis
    const given = tokenIn(answer, "access_token", now, usualLife)
    if (given === undefined) {
      return yield* answer.status === 200
        ? failed("the answer has no token in it", true)
        : failed(metadataWordsOf(answer), isPassing(answer))
    }
    // for people only: a login without a name is a login too
    const who = yield* ask("email").pipe(
      Effect.map(({ body, status }) => status === 200 ? body.toString("utf8").trim() : ""),
      Effect.orElseSucceed(() => "")
    )
    const name = /^[\w.@:+-]{1,320}$/.test(who) ? who : "this pod or node"
    return {
      credential: { ...basic(username, Redacted.value(given.token)), origin: `Google's token of ${name}` },
      expiresAt: given.expiresAt
    }
  })
}

export const makeGoogleIdentity = Effect.fnUntraced(function*(
  sdk: SdkRequests,
  requests: CloudRequests,
  load: () => Promise<GoogleLibrary> = () => import("./GoogleLibrary.ts")
): Effect.fn.Return<CloudProvider, never, FileSystem.FileSystem> {
  const { metadata, named, wellKnown } = yield* whereabouts
  const fs = yield* FileSystem.FileSystem

  const byFile = Effect.fnUntraced(function*(file: string, resource: string) {
    const failed = failure(resource, `what ${file} names`)
    const { email, expiresAt, token } = yield* Effect.tryPromise({
      try: async () => (await load()).tokenOfFile(sdk),
      catch: (error) => {
        const { detail, retryable } = libraryFailure(error)
        return failed(detail, retryable)
      }
    })
    if (token === undefined) return yield* failed("the answer has no token in it", true)
    const now = yield* Clock.currentTimeMillis
    return {
      credential: { ...basic(username, Redacted.value(token)), origin: `Google's token of ${email ?? file}` },
      expiresAt: expiresAt ?? now + usualLife
    }
  })

  const byMetadata = makeByMetadata(requests, metadata)

  return {
    keyOf: () => "google",
    token: Effect.fn("identity.googleToken")(function*({ registry }) {
      const isThere = named === undefined && wellKnown !== undefined
        ? Effect.orElseSucceed(fs.exists(wellKnown), () => false)
        : Effect.succeed(false)
      const file = named ?? ((yield* isThere) ? wellKnown : undefined)
      return yield* (file === undefined ? byMetadata(registry) : byFile(file, registry)).pipe(
        Effect.timeoutOrElse({
          duration: patience,
          orElse: () => Effect.fail(failure(registry, file ?? metadata.host)(`no answer in ${patience}`, true))
        })
      )
    })
  }
})
