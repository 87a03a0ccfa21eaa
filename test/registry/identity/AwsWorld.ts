// All of AWS at one loopback port: whatever host the SDK wants, over TLS by its word, it gets this server, which notes whom it was
// asked for. For tests of identities that run the real SDK.
import { ConfigProvider, Effect, type Scope } from "effect"
import type http from "node:http"
import { connect } from "node:net"
import { Agent } from "undici"
import { vi } from "vitest"
import { makeEcrIdentity } from "../../../src/registry/identity/EcrIdentity.ts"
import { makeSdkRequests } from "../../../src/registry/identity/SdkRequests.ts"
import { type FakeServer, type Seen, startServer } from "../../support/FakeRegistry.ts"

/** An access key as the environment gives it; the SDK reads the process's own. */
export const ownKey = "AKIAOWNKEY"

/** `host action`: `sts.eu-west-1.amazonaws.com AssumeRole`. */
export const calledOf = (seen: Seen): string => {
  const action = String(seen.headers["x-amz-target"] ?? new URLSearchParams(seen.body.toString()).get("Action"))
  return `${seen.headers.host} ${action.split(".").at(-1)}`
}

/** Whose key a request is signed with, and for which region and service. */
export const signedBy = (seen: Seen): string => /Credential=([^,]+)/.exec(String(seen.headers.authorization))?.[1] ?? ""

/** An answer of a JSON service. */
export const answerJson = (response: http.ServerResponse, body: unknown, status = 200) => {
  response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body))
}

export const tokenOf = (password: string) => Buffer.from(`AWS:${password}`).toString("base64")

/** What STS says to AssumeRole, or another of its actions. */
export const answerRole = (response: http.ServerResponse, key: string, action = "AssumeRole") => {
  response.writeHead(200, { "content-type": "text/xml" }).end(
    `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result><Credentials>
    <AccessKeyId>${key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>
    <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></${action}Result></${action}Response>`
  )
}

export interface AwsWorld extends FakeServer {
  readonly forget: () => void
}

/** A provider over the real SDK and the program's requests, whose every connection ends at the server. */
export const startAws = Effect.fnUntraced(function*(
  answer: (seen: Seen, response: http.ServerResponse) => void,
  variables: Readonly<Record<string, string>> = { AWS_ACCESS_KEY_ID: ownKey, AWS_SECRET_ACCESS_KEY: "secret" }
) {
  const world: AwsWorld = yield* startServer(answer)
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) vi.stubEnv(name, undefined)
      const all = {
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_CONFIG_FILE: "/dev/null",
        AWS_SHARED_CREDENTIALS_FILE: "/dev/null"
      }
      for (const [name, value] of Object.entries({ ...all, ...variables })) vi.stubEnv(name, value)
    }),
    () => Effect.sync(() => vi.unstubAllEnvs())
  )
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() =>
      new Agent({
        connect: (_, callback) => {
          const socket = connect(Number(new URL(world.origin).port), "127.0.0.1")
          socket.once("connect", () => callback(null, socket))
          socket.once("error", (error) => callback(error, null))
        }
      })
    ),
    (it) => Effect.promise(() => it.destroy())
  )
  const requests = yield* makeSdkRequests({ of: () => agent })
  const provider = yield* Effect.provideService(
    makeEcrIdentity(requests),
    ConfigProvider.ConfigProvider,
    ConfigProvider.fromEnvRecord({ ...variables })
  )
  return { world, provider, requests }
}) satisfies (...args: never) => Effect.Effect<unknown, never, Scope.Scope>
