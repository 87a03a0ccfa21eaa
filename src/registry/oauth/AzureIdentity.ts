// AzureIdentity: Azure as a provider of logins to its Container Registry, which gives a refresh token of its own in exchange for one
// of Entra. Source: ACR "docs/AAD-OAuth.md". Edge: how Entra is asked, and as whom, is EntraTokens.ts.
import { Effect, FileSystem, Redacted } from "effect"
import { identityToken } from "../auth/DockerConfig.ts"
import { cloudNameOf } from "../identity/CloudOptions.ts"
import type { CloudProvider, CloudQuestion } from "../identity/CloudProvider.ts"
import type { CloudRequests } from "./CloudRequests.ts"
import { askForToken, entraIdentity, failedAs, makeEntraTokens } from "./EntraTokens.ts"

/** For both requests. */
const patience = "30 seconds"

export const makeAzureIdentity = Effect.fnUntraced(function*(
  requests: CloudRequests
): Effect.fn.Return<CloudProvider, never, FileSystem.FileSystem> {
  const identity = yield* entraIdentity
  const { tenant } = identity
  const entra = makeEntraTokens(requests, yield* FileSystem.FileSystem, identity)

  const login = Effect.fn("identity.azureToken")(function*({ options, registry }: CloudQuestion) {
    const failed = failedAs(identity, "a login for a token of Entra", registry)
    // what Entra gives is for Azure alone, and not for what stands before its registry
    const name = cloudNameOf(options, registry)
    const endpoint = requests.endpointOf(name)
    if (endpoint === undefined) return yield* failed("it is no host that could be reached", false)
    const { token } = yield* entra(name)
    const given = yield* askForToken(
      requests,
      failed,
      {
        url: new URL("/oauth2/exchange", endpoint),
        form: {
          grant_type: "access_token",
          service: name,
          access_token: Redacted.value(token),
          ...(tenant === undefined ? {} : { tenant })
        }
      },
      "refresh_token",
      [token]
    )
    return {
      credential: { ...identityToken(Redacted.value(given.token)), origin: `Azure's token of ${identity.name}` },
      expiresAt: given.expiresAt
    }
  })

  return {
    // the refresh token is one registry's, whatever that is called
    keyOf: ({ options, registry }) => cloudNameOf(options, registry),
    token: (question) =>
      Effect.timeoutOrElse(login(question), {
        duration: patience,
        orElse: () => Effect.fail(failedAs(identity, "a login", question.registry)(`no answer in ${patience}`, true))
      })
  }
})
