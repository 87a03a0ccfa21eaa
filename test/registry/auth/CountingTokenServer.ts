// A token server without a socket, for the parts of auth/ that ask one.
import { type Duration, Effect } from "effect"
import { anonymous } from "../../../src/registry/auth/Identities.ts"
import type { TokenRequest } from "../../../src/registry/auth/TokenServer.ts"
import { defaultLimits } from "../../../src/registry/Limits.ts"
import { registryError } from "../../../src/registry/RegistryError.ts"
import type { Request, Transport } from "../../../src/registry/transport/Transport.ts"

export const request: TokenRequest = {
  registry: "https://registry.test",
  realm: new URL("https://auth.test/token?fixed=1"),
  service: "registry.test",
  scopes: ["repository:a:pull,push", "repository:b:pull"],
  identity: anonymous,
  vouched: false,
  target: "registry.test/a:1"
}

/** Counts what it is asked, and takes that long to answer. */
export const server = (
  answer: (count: number, request: Request) => { readonly status?: number; readonly body: string },
  after: Duration.Input = "100 millis"
) => {
  const sent: Array<Request> = []
  const send: Transport["send"] = (it) =>
    Effect.delay(
      Effect.suspend(() => {
        sent.push(it)
        const { body, status = 200 } = answer(sent.length, it)
        return Effect.succeed({ status, headers: {}, body: Buffer.from(body), url: it.url })
      }),
      after
    )
  const open: Transport["open"] = () =>
    Effect.fail(registryError({ operation: "", target: "", reason: "Protocol", detail: "not here" }))
  return { sent, transport: { limits: defaultLimits, send, open } }
}
