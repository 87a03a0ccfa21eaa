import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Option, Path } from "effect"
import { dockerFolder } from "../../src/settings/DockerFolder.ts"

const folder = (env: Record<string, string>) =>
  dockerFolder.pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnvRecord(env)),
    Effect.provide(Path.layer)
  )

describe("the folder of docker's config.json", () => {
  it.effect("is DOCKER_CONFIG, else .docker in the home folder, else none; other settings do not matter", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* folder({ DOCKER_CONFIG: "/a", HOME: "/h", HTTP_PORT: "many" }), Option.some("/a"))
      assert.deepStrictEqual(yield* folder({ DOCKER_CONFIG: "", HOME: "/h" }), Option.some("/h/.docker"))
      assert.deepStrictEqual(yield* folder({}), Option.none())
    }))
})
