import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem, Layer, Option } from "effect"
import { hostname } from "node:os"
import { ProcessSettings } from "../../src/settings/ProcessSettings.ts"
import { noProxies, type Proxies } from "../../src/settings/Proxies.ts"

const originsOf = ({ http, https }: Proxies) =>
  [https, http].map((it) => Option.map(it, ({ origin }) => origin)).map(Option.getOrUndefined)

/** The settings of these variables; `mounted` is the namespace file of a ServiceAccount. */
const read = (variables: Record<string, string>, mounted?: string) =>
  ProcessSettings.use(Effect.succeed).pipe(
    Effect.provide(ProcessSettings.layer.pipe(Layer.provide([
      ConfigProvider.layer(ConfigProvider.fromEnvRecord(variables)),
      FileSystem.layerNoop(mounted === undefined ? {} : { readFileString: () => Effect.succeed(mounted) })
    ])))
  )

describe("ProcessSettings", () => {
  it.effect("have defaults", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* read({}), {
        httpPort: 8080,
        logLevel: "Info",
        logFormat: Option.none(),
        certsDir: "/etc/docker",
        proxies: noProxies,
        podNamespace: Option.none(),
        podName: hostname(),
        leaderElection: false,
        webhookPort: 9443,
        webhookUrl: Option.none()
      })
    }))

  it.effect("read every variable", () =>
    Effect.gen(function*() {
      const settings = yield* read({
        HTTP_PORT: "0",
        LOG_LEVEL: "DEBUG",
        LOG_FORMAT: "logfmt",
        CERTS_DIR: "/certs",
        https_proxy: "http://me:secret@proxy.test:3128",
        HTTP_PROXY: "other.test",
        NO_PROXY: ".svc,10.0.0.0/8",
        POD_NAMESPACE: "here",
        POD_NAME: "image-cloner-5d4f-x2x",
        LEADER_ELECTION: "True",
        WEBHOOK_PORT: "0",
        WEBHOOK_URL: "https://Outside.example:8443/hooks/"
      }, "elsewhere")
      assert.deepStrictEqual({ ...settings, proxies: originsOf(settings.proxies) }, {
        httpPort: 0,
        logLevel: "Debug",
        logFormat: Option.some("logfmt"),
        certsDir: "/certs",
        proxies: ["http://proxy.test:3128", "http://other.test"],
        podNamespace: Option.some("here"),
        podName: "image-cloner-5d4f-x2x",
        leaderElection: true,
        webhookPort: 0,
        webhookUrl: Option.some("https://outside.example:8443/hooks")
      })
    }))

  it.effect("take the namespace of the mounted ServiceAccount when POD_NAMESPACE is not set", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* read({ POD_NAMESPACE: "" }, "mounted\n")).podNamespace, Option.some("mounted"))
      assert.deepStrictEqual((yield* read({}, "\n")).podNamespace, Option.none())
    }))

  it.effect("take an address of the webhooks that the API server would take, and no other", () =>
    Effect.gen(function*() {
      for (
        const url of ["http://host", "host:9443", "https://host?timeout=1", "https://me:secret@host", "https://host#x"]
      ) {
        const error = yield* Effect.flip(read({ WEBHOOK_URL: url }))
        assert.deepStrictEqual(error.problems.map((it) => it.key), ["WEBHOOK_URL"], url)
      }
      assert.deepStrictEqual(
        (yield* read({ WEBHOOK_URL: "https://[::1]:9443/" })).webhookUrl,
        Option.some("https://[::1]:9443")
      )
    }))

  it.effect("name every wrong variable in one error", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(read({
        HTTP_PORT: "65536",
        LOG_LEVEL: "constructor",
        LOG_FORMAT: "xml",
        https_proxy: "socks5://me:secret@proxy.test",
        WEBHOOK_PORT: "https",
        LEADER_ELECTION: "yes"
      }))
      assert.deepStrictEqual(error.problems.map((it) => it.key), [
        "HTTP_PORT",
        "WEBHOOK_PORT",
        "LEADER_ELECTION",
        "LOG_LEVEL",
        "LOG_FORMAT",
        "https_proxy"
      ])
      assert.notInclude(error.message, "secret")
    }))
})
