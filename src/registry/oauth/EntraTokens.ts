// EntraTokens: a token of Entra for Azure's registries, for who the pod is (workload identity) or else its node (managed identity).
// Sources: Entra "Microsoft identity platform and the OAuth 2.0 client credentials flow" (federated credential), Azure "How to use
// managed identities on a VM to acquire an access token". Edge: two kinds of request of our own, no library: @azure/identity is
// 49 MiB for what they do. Other kinds of identity are logins for config.json.
import { Clock, Effect, FileSystem, Redacted } from "effect"
import { type GivenToken, isPassing, metadataWordsOf, tokenIn, wordsOf } from "./CloudAnswer.ts"
import { CloudError } from "../identity/CloudError.ts"
import type { CloudRequest, CloudRequests } from "./CloudRequests.ts"
import { ownVariable } from "./OwnVariable.ts"

/** Of registries in every one of Azure's clouds (azcontainerregistry of its sdk-for-go). */
const audience = "https://containerregistry.azure.net"
/** Milliseconds of a token that does not say when it ends. */
const usualLife = 3 * 3_600_000

/** Who Azure says we are, by the variables that its webhook for workload identity sets. */
export interface EntraIdentity {
  /** For people. */
  readonly name: string
  readonly tenant: string | undefined
  readonly clientId: string | undefined
  /** Of the ServiceAccount; undefined: it is the node's identity. */
  readonly tokenFile: string | undefined
  /** Entra's origin, where it is not that of the registry's cloud. */
  readonly authority: string | undefined
  /** The metadata service's, where it is not the usual one. */
  readonly imds: string | undefined
}

export const entraIdentity: Effect.Effect<EntraIdentity> = Effect.gen(function*() {
  const tenant = yield* ownVariable("AZURE_TENANT_ID")
  const clientId = yield* ownVariable("AZURE_CLIENT_ID")
  const file = yield* ownVariable("AZURE_FEDERATED_TOKEN_FILE")
  const tokenFile = tenant === undefined || clientId === undefined ? undefined : file
  const name = tokenFile !== undefined
    ? `client ${clientId} of tenant ${tenant}`
    : clientId === undefined
    ? "the managed identity of this node"
    : `the managed identity ${clientId}`
  return {
    name,
    tenant,
    clientId,
    tokenFile,
    authority: yield* ownVariable("AZURE_AUTHORITY_HOST"),
    imds: yield* ownVariable("AZURE_POD_IDENTITY_AUTHORITY_HOST")
  }
})

/** A failure of one action for one registry. */
export type Failed = (detail: string, retryable: boolean) => CloudError

export const failedAs = ({ name }: EntraIdentity, action: string, resource: string): Failed => (detail, retryable) =>
  new CloudError({ cloud: "Azure", identity: name, action, resource, detail, retryable })

/** The token that one request is answered with, in this member. `secrets` are not repeated in what is said of a refusal. */
export const askForToken = Effect.fnUntraced(function*(
  requests: CloudRequests,
  failed: Failed,
  request: CloudRequest,
  member: string,
  secrets: ReadonlyArray<Redacted.Redacted> = []
): Effect.fn.Return<GivenToken, CloudError> {
  const { host } = request.url
  const answer = yield* Effect.mapError(
    requests.send(request),
    ({ detail }) =>
      failed(`${request.isMetadata === true ? "the metadata service does not answer" : host}: ${detail}`, true)
  )
  const given = tokenIn(answer, member, yield* Clock.currentTimeMillis, usualLife)
  if (given !== undefined) return given
  const said = request.isMetadata === true ? metadataWordsOf(answer) : wordsOf(answer, secrets)
  return yield* answer.status === 200
    ? failed(`${host} answered without a token`, true)
    : failed(`${host}: ${said}`, isPassing(answer))
})

/** Entra of the cloud that a registry is in. */
const authorityOf = (registry: string): string =>
  registry.endsWith(".cn")
    ? "https://login.chinacloudapi.cn"
    : registry.endsWith(".us")
    ? "https://login.microsoftonline.us"
    : "https://login.microsoftonline.com"

/** What stands for our ServiceAccount is shown over TLS alone, or to this machine. */
const isSafe = ({ hostname, protocol }: URL): boolean =>
  protocol === "https:" || (protocol === "http:" && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname))

const parsed = (text: string): URL | undefined => URL.canParse(text) ? new URL(text) : undefined

/** Below an origin that may end with a slash, and may have a path. */
const below = (origin: URL, path: string): URL => new URL(origin.href.replace(/\/+$/, "") + path)

/** Asks for a token to exchange at a registry. */
export const makeEntraTokens = (requests: CloudRequests, fs: FileSystem.FileSystem, identity: EntraIdentity) => {
  const { authority, clientId, imds, tenant, tokenFile } = identity

  const byWorkload = Effect.fnUntraced(function*(file: string, registry: string, failed: Failed) {
    const at = parsed(authority ?? authorityOf(registry))
    if (at === undefined || !isSafe(at)) {
      return yield* failed(`AZURE_AUTHORITY_HOST is ${authority}, which is no URL with https`, false)
    }
    // replaced every hour or so, and so read each time
    const assertion = yield* fs.readFileString(file).pipe(
      Effect.map((it) => Redacted.make(it.trim(), { label: "federated token" })),
      Effect.mapError(({ message }) => failed(`AZURE_FEDERATED_TOKEN_FILE: ${message}`, true))
    )
    return yield* askForToken(
      requests,
      failed,
      {
        url: below(at, `/${encodeURIComponent(tenant ?? "")}/oauth2/v2.0/token`),
        form: {
          grant_type: "client_credentials",
          client_id: clientId ?? "",
          scope: `${audience}/.default`,
          client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
          client_assertion: Redacted.value(assertion)
        }
      },
      "access_token",
      [assertion]
    )
  })

  const byNode = Effect.fnUntraced(function*(failed: Failed) {
    const at = parsed(imds ?? "http://169.254.169.254")
    if (at === undefined) {
      return yield* failed(`AZURE_POD_IDENTITY_AUTHORITY_HOST is ${imds}, which is no URL`, false)
    }
    const url = below(at, "/metadata/identity/oauth2/token")
    url.searchParams.set("api-version", "2018-02-01")
    url.searchParams.set("resource", audience)
    if (clientId !== undefined) url.searchParams.set("client_id", clientId)
    return yield* askForToken(
      requests,
      failed,
      { url, headers: { metadata: "true" }, isMetadata: true },
      "access_token"
    )
  })

  return (registry: string): Effect.Effect<GivenToken, CloudError> => {
    const failed = failedAs(identity, "a token of Entra", registry)
    return tokenFile === undefined ? byNode(failed) : byWorkload(tokenFile, registry, failed)
  }
}
