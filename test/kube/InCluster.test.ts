import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem, Layer, Option } from "effect"
import { inCluster } from "../../src/kube/InCluster.ts"
import { authorization, testing } from "./FakeApi.ts"

const platform = Layer.merge(testing, NodeFileSystem.layer)

describe("a pod", () => {
  const variables = (values: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromEnvRecord(values))
  const inside = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" }

  const mounted = Effect.fnUntraced(function*(token: string) {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped()
    yield* fs.writeFileString(`${folder}/token`, token)
    yield* fs.writeFileString(`${folder}/ca.crt`, "the authority")
    return folder
  })

  it.live("gives the ServiceAccount's token, read again after a minute or a 401", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* mounted("first\n")
      const found = yield* inCluster(folder)
      assert.isTrue(Option.isSome(found))
      if (Option.isNone(found)) return
      const { access, reload, server } = found.value
      const token = Effect.map(access, authorization)
      assert.strictEqual(server, "https://10.0.0.1:443")
      assert.strictEqual((yield* access).tls.ca, "the authority")
      assert.strictEqual(yield* token, "Bearer first")
      yield* fs.writeFileString(`${folder}/token`, "second")
      assert.strictEqual(yield* token, "Bearer first")
      yield* Effect.sleep("61 seconds")
      assert.strictEqual(yield* token, "Bearer second")
      yield* fs.writeFileString(`${folder}/token`, "third")
      yield* Effect.flatMap(access, reload)
      assert.strictEqual(yield* token, "Bearer third")
      yield* fs.remove(`${folder}/token`)
      yield* Effect.flatMap(access, reload)
      assert.strictEqual(yield* token, "Bearer third", "what was read stays in use while it cannot be read")
    }).pipe(Effect.provide([platform, variables(inside)])))

  it.live("is in a cluster only with address and token", () =>
    Effect.gen(function*() {
      const folder = yield* mounted("x")
      assert.isTrue(Option.isNone(yield* inCluster("/nowhere")))
      assert.isTrue(Option.isNone(yield* inCluster(folder).pipe(Effect.provide(variables({})))))
      const found = yield* inCluster(folder).pipe(
        Effect.provide(variables({ KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" }))
      )
      assert.strictEqual(Option.getOrUndefined(found)?.server, "https://[fd00::1]:6443")
    }).pipe(Effect.provide([platform, variables(inside)])))
})
