// One loopback server that is whatever a cloud's providers ask: metadata service, token service and registry. For identities whose
// requests are the program's own.
import { assert } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem, type Scope } from "effect"
import type http from "node:http"
import { Agent } from "undici"
import { cloudOptionsOf, hostIn } from "../../../src/registry/identity/CloudOptions.ts"
import type { CloudQuestion } from "../../../src/registry/identity/CloudProvider.ts"
import { makeCloudRequests } from "../../../src/registry/oauth/CloudRequests.ts"
import { type Settings, settingsOf } from "../../../src/settings/Settings.ts"
import { type Seen, startServer } from "../../support/FakeRegistry.ts"

export const respond = (response: http.ServerResponse, body: unknown, status = 200) => {
  response.writeHead(status, { "content-type": "application/json" }).end(
    typeof body === "string" ? body : JSON.stringify(body)
  )
}

export const formOf = ({ body }: Seen): Record<string, string> =>
  Object.fromEntries(new URLSearchParams(body.toString()))

/** What a provider is asked for a registry, with the default settings but for these. */
export const questionOf = (registry: string, more: Partial<Settings> = {}): CloudQuestion => {
  const options = cloudOptionsOf(settingsOf("a.b/c", more))
  const host = hostIn(options, registry)
  return host === undefined ? assert.fail(`${registry} is no cloud's`) : { registry, host, options }
}

/** A JWT as far as anybody here reads it. */
export const jwt = (claims: unknown): string =>
  ["{}", JSON.stringify(claims), "s"].map((it) => Buffer.from(it).toString("base64url")).join(".")

/** The server, and requests for which it is every registry. */
export const startCloud = Effect.fnUntraced(function*(
  answer: (seen: Seen, response: http.ServerResponse) => void
) {
  const server = yield* startServer(answer)
  const agent = yield* Effect.acquireRelease(Effect.sync(() => new Agent()), (it) => Effect.promise(() => it.destroy()))
  const requests = makeCloudRequests(
    { direct: agent, of: () => agent },
    () => new URL(server.origin)
  )
  return { server, requests }
}) satisfies (...args: never) => Effect.Effect<unknown, never, Scope.Scope>

/** With these variables, and files at these paths. */
export const inPod = (
  variables: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>> = {}
) =>
<A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>): Effect.Effect<A, E> =>
  effect.pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnvRecord({ ...variables })),
    Effect.provide(FileSystem.layerNoop({
      exists: (path) => Effect.succeed(path in files),
      readFileString: (path) => Effect.succeed(files[path] ?? "")
    }))
  )
