import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Logger, Option, Path, Redacted, References } from "effect"
import { TestClock } from "effect/testing"
import { readDockerConfig } from "../../../src/registry/logins/ConfigFile.ts"
import { Credentials } from "../../../src/registry/auth/Credentials.ts"
import type { Credential } from "../../../src/registry/auth/DockerConfig.ts"

const json = (user: string, more: object = {}) =>
  JSON.stringify({ auths: { "x.io": { auth: Buffer.from(`${user}:pw`).toString("base64") } }, ...more })

const usersOf = (credentials: ReadonlyArray<Credential>) =>
  credentials.map((it) => it._tag === "Basic" ? it.username : `${it._tag} ${Redacted.value(it.token)}`)

const userOf = (credentials: ReadonlyArray<Credential>) => usersOf(credentials)[0]

const folder = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = yield* fs.makeTempDirectoryScoped()
  const file = path.join(directory, "config.json")
  return { directory, file, write: (text: string) => Effect.orDie(fs.writeFileString(file, text)), fs, path }
})

const services = Layer.mergeAll(NodeServices.layer, Layer.succeed(References.MinimumLogLevel, "None"))

const credentials = (directory: string) =>
  Effect.map(Layer.build(Credentials.layer({ directory: Option.some(directory) })), (context) => {
    const it = Credentials.useSync((service) => service)
    return Effect.provideContext(it, context)
  }).pipe(Effect.flatten)

/** A helper on the PATH for as long as the scope: a script that notes that it was called. */
const helper = (name: string, script: string) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const directory = yield* fs.makeTempDirectoryScoped()
    const file = path.join(directory, `docker-credential-${name}`)
    const calls = path.join(directory, "calls")
    yield* fs.writeFileString(file, `#!/bin/sh\nread url\necho "$1 $url" >> ${calls}\n${script}\n`)
    yield* fs.chmod(file, 0o755)
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const before = process.env["PATH"]
        process.env["PATH"] = `${directory}:${before}`
        return before
      }),
      (before) =>
        Effect.sync(() => {
          process.env["PATH"] = before
        })
    )
    return {
      calls: fs.readFileString(calls).pipe(
        Effect.map((text) => text.trim().split("\n")),
        Effect.orElseSucceed((): Array<string> => [])
      )
    }
  })

describe("config.json", () => {
  it.effect("is read again when it changes, and the last good one stays while it is broken", () =>
    Effect.gen(function*() {
      const { directory, write } = yield* folder
      yield* write(json("first"))
      const service = yield* credentials(directory)
      const user = Effect.map(service.lookup("x.io", "a"), userOf)
      assert.strictEqual(yield* user, "first")
      yield* write(json("second"))
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(yield* user, "second")
      yield* write("{ broken")
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(yield* user, "second")
      yield* write(json("third"))
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(yield* user, "third")
    }).pipe(Effect.provide(services)))

  it.effect("that is missing is no credentials, until it appears", () =>
    Effect.gen(function*() {
      const { directory, write } = yield* folder
      const service = yield* credentials(directory)
      assert.isUndefined(userOf(yield* service.lookup("x.io", "a")))
      yield* write(json("late"))
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(userOf(yield* service.lookup("x.io", "a")), "late")
    }).pipe(Effect.provide(services)))

  it.effect("that is no JSON at the start fails with its name and what is wrong", () =>
    Effect.gen(function*() {
      const { directory, file, write } = yield* folder
      yield* write("{ \"auths\": { \"x.io\": { \"auth\": \"c2VjcmV0\" }")
      const error = yield* Effect.flip(credentials(directory))
      assert.include(error.message, `${file}: it is not docker's JSON, nor any other`)
      assert.notInclude(error.message, "c2VjcmV0")
      assert.strictEqual((yield* Effect.flip(readDockerConfig(directory))).message, error.message)
    }).pipe(Effect.provide(services)))

  it.effect("with an entry that cannot be used fails for its host alone, named by file and key", () =>
    Effect.gen(function*() {
      const { directory, file, write } = yield* folder
      yield* write(json("me", {
        auths: {
          "broken.io": { auth: "c2VjcmV0" },
          "good.io/team": { auth: 5 },
          "good.io": { username: "me", password: "pw" }
        }
      }))
      const asked = (registry: string) => readDockerConfig(directory, { registry, repository: "team/mirror" })
      const error = yield* Effect.flip(asked("broken.io"))
      assert.include(error.message, `${file}: auths of "broken.io": its auth is not base64`)
      assert.notInclude(error.message, "c2VjcmV0")
      // another entry speaks for it
      yield* asked("good.io")
      yield* asked("other.io")
      const service = yield* credentials(directory)
      assert.strictEqual(userOf(yield* service.lookup("good.io", "team/mirror")), "me")
      assert.include(yield* service.absence("broken.io", "a"), `${file}: auths of "broken.io"`)
      assert.strictEqual(yield* service.absence("other.io", "a"), `${file} has no login for it`)
    }).pipe(Effect.provide(services)))

  it.effect("says each flaw once, however often it is read", () => {
    const said: Array<string> = []
    const logger = Logger.make(({ message }) => void said.push(String(message)))
    return Effect.gen(function*() {
      const { directory, write } = yield* folder
      yield* write(json("me", { credHelpers: { "a.io": 5 } }))
      const service = yield* credentials(directory)
      yield* write(json("you", { credHelpers: { "a.io": 5, "*.b.io": "x" } }))
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(userOf(yield* service.lookup("x.io", "a")), "you")
      assert.deepStrictEqual(said.filter((it) => it.includes("credHelpers")).length, 2)
      assert.isTrue(said.some((it) => it.includes("config.json: credHelpers of \"a.io\"")))
    }).pipe(
      Effect.provide([NodeServices.layer, Logger.layer([logger])])
    )
  })

  it.effect("may be what DOCKER_CONFIG names itself, and begins with whatever Windows puts there", () =>
    Effect.gen(function*() {
      const { file, write } = yield* folder
      yield* write(`\ufeff${json("windows")}`)
      const service = yield* credentials(file)
      assert.strictEqual(userOf(yield* service.lookup("x.io", "a")), "windows")
      yield* write(json("later"))
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(userOf(yield* service.lookup("x.io", "a")), "later")
    }).pipe(Effect.provide(services)))

  it.live("leaves its store alone where the helper of a host is empty", () =>
    Effect.gen(function*() {
      const { directory, write } = yield* folder
      const script = yield* helper("keeper", "printf '{\"Username\":\"stored\",\"Secret\":\"s\"}'")
      yield* write(json("file", { credHelpers: { "x.io": "" }, credsStore: "keeper" }))
      const service = yield* credentials(directory)
      assert.strictEqual(userOf(yield* service.lookup("x.io", "a")), "file")
      assert.deepStrictEqual(yield* script.calls, [])
      assert.strictEqual(userOf(yield* service.lookup("y.io", "a")), "stored")
    }).pipe(Effect.provide(services)))

  it.effect("that is a folder is named as unreadable", () =>
    Effect.gen(function*() {
      const { directory, file, fs } = yield* folder
      yield* fs.makeDirectory(file)
      assert.include((yield* Effect.flip(credentials(directory))).message, "cannot be read")
    }).pipe(Effect.provide(services)))
})

describe("several credentials", () => {
  it.live("come in order: the helper's, then the entries of the file, each once", () =>
    Effect.gen(function*() {
      const { directory, write } = yield* folder
      yield* helper("many", "printf '{\"Username\":\"helped\",\"Secret\":\"s\"}'")
      const auth = (user: string) => ({ auth: Buffer.from(`${user}:pw`).toString("base64") })
      yield* write(JSON.stringify({
        auths: {
          "x.io": auth("host"),
          "https://x.io/v2/": auth("host"),
          "*.io": auth("wild"),
          "x.io/team": auth("team"),
          "x.io/team/app": auth("app"),
          "x.io/teams": auth("stranger")
        },
        credHelpers: { "x.io": "many" }
      }))
      const service = yield* credentials(directory)
      assert.deepStrictEqual(usersOf(yield* service.lookup("x.io", "team/app")), [
        "helped",
        "app",
        "team",
        "host",
        "wild"
      ])
      assert.deepStrictEqual(usersOf(yield* service.lookup("y.io", "team/app")), ["wild"])
      assert.deepStrictEqual(yield* service.lookup("y.z.io", "team/app"), [])
    }).pipe(Effect.provide(services)))

  it.effect("are bounded", () =>
    Effect.gen(function*() {
      const { directory, write } = yield* folder
      const entries = Array.from({ length: 40 }, (_, index) => {
        const path = Array.from({ length: index }, () => "a").join("/")
        return [`x.io/${path}`, { username: `u${index}`, password: "p" }]
      })
      yield* write(JSON.stringify({ auths: Object.fromEntries(entries) }))
      const service = yield* credentials(directory)
      const repository = Array.from({ length: 50 }, () => "a").join("/")
      const found = usersOf(yield* service.lookup("x.io", repository))
      assert.deepStrictEqual(found, ["u39", "u38", "u37", "u36", "u35", "u34", "u33", "u32"])
    }).pipe(Effect.provide(services)))
})

describe("a credential helper", () => {
  it.live("is asked by its protocol, once for a while, and again after a refusal", () =>
    Effect.gen(function*() {
      const { directory, write } = yield* folder
      const script = yield* helper("probe", "printf '{\"ServerURL\":\"h.io\",\"Username\":\"me\",\"Secret\":\"s\"}'")
      yield* write(json("file", { credHelpers: { "https://h.io": "probe" } }))
      const service = yield* credentials(directory)
      const found = yield* service.lookup("h.io", "a/b")
      assert.strictEqual(userOf(found), "me")
      yield* service.lookup("h.io", "c")
      assert.deepStrictEqual(yield* script.calls, ["get https://h.io"])
      const [first] = found
      if (first === undefined) return assert.fail("no credential")
      yield* service.refused(first)
      yield* service.lookup("h.io", "a/b")
      assert.strictEqual((yield* script.calls).length, 2)
      // others are not its business
      assert.strictEqual(userOf(yield* service.lookup("x.io", "a")), "file")
      assert.strictEqual((yield* script.calls).length, 2)
    }).pipe(Effect.provide(services)))

  it.live("may hand out an identity token, and as the store speaks for Docker Hub by its old name", () =>
    Effect.gen(function*() {
      const { directory, write } = yield* folder
      const script = yield* helper("store", "printf '{\"Username\":\"<token>\",\"Secret\":\"refresh\"}'")
      yield* write(JSON.stringify({ credsStore: "store" }))
      const service = yield* credentials(directory)
      assert.strictEqual(userOf(yield* service.lookup("docker.io", "a/b")), "IdentityToken refresh")
      assert.deepStrictEqual(yield* script.calls, ["get https://index.docker.io/v1/"])
    }).pipe(Effect.provide(services)))

  it.live.each([
    ["knows nothing", "echo 'credentials not found in native keychain'; exit 1"],
    ["fails", "exit 3"],
    ["talks nonsense", "echo hello"]
  ])("that %s gives way to the file's own entry", ([, script]) =>
    Effect.gen(function*() {
      const { directory, write } = yield* folder
      yield* helper("odd", script ?? "")
      yield* write(json("file", { credHelpers: { "x.io": "odd" } }))
      const service = yield* credentials(directory)
      assert.strictEqual(userOf(yield* service.lookup("x.io", "a")), "file")
    }).pipe(Effect.provide(services)))

  it.live("that is not installed gives way too", () =>
    Effect.gen(function*() {
      const { directory, write } = yield* folder
      yield* write(json("file", { credsStore: "surely-not-installed" }))
      const service = yield* credentials(directory)
      assert.strictEqual(userOf(yield* service.lookup("x.io", "a")), "file")
    }).pipe(Effect.provide(services)))
})
