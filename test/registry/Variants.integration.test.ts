// Copying to and from Distribution as people run it: with and without schema 1, read-only, without deletes, behind token
// servers. What arrives is judged by skopeo and crane.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { protectionTag } from "../../src/image/BackupName.ts"
import { Cloner } from "../../src/clone/Cloner.ts"
import { digestOf } from "../../src/image/Digest.ts"
import { basic } from "../../src/registry/auth/DockerConfig.ts"
import { dockerManifest } from "../../src/image/ManifestDocument.ts"
import { judge, judges } from "../support/SkopeoAndCrane.ts"
import { startProxy } from "../support/Proxy.ts"
import { pushImage } from "../support/PushImage.ts"
import {
  distribution2,
  distribution3,
  type Program,
  type RealRegistry,
  startRegistry
} from "../support/RealRegistry.ts"
import { clonerLayer, type TestOptions } from "../support/Registries.ts"
import { tarLayer } from "../support/Schema1Images.ts"
import { imageOf, indexOf, type TestBlob, type TestImage, unpackable } from "../support/TestImages.ts"
import { startTokenServer, type TokenServerOptions } from "../support/TokenServer.ts"
import { eventually } from "../support/Eventually.ts"

const shared = tarLayer("usr/shared", "s".repeat(300_000))
const image = (layers: ReadonlyArray<TestBlob>, options: { flavour?: "docker"; architecture?: string } = {}) =>
  imageOf(layers, { ...options, config: unpackable(layers) })
const one = image([shared, tarLayer("usr/one")])
const two = indexOf([image([shared, tarLayer("usr/two")]), image([tarLayer("usr/arm")], { architecture: "arm64" })])

interface Pair {
  readonly source: { readonly host: string }
  readonly backup: { readonly host: string }
}

/** Clones `team/<name>:1` one after another by a process that knows nothing. */
const clone = ({ backup, source }: Pair, names: ReadonlyArray<string>, options: Partial<TestOptions> = {}) =>
  Effect.flatMap(
    Cloner,
    (cloner) =>
      Effect.forEach(names, (name) => cloner.clone({ registry: source.host, repository: `team/${name}`, tag: "1" }))
  ).pipe(
    Effect.provide(clonerLayer({ backup: backup.host, plainHttp: [source.host, backup.host], ...options }))
  )
const into = (source: { readonly host: string }, name: string) => `mirror/${source.host.replace(":", "_")}/team/${name}`
const push = (source: RealRegistry, name: string, it: TestImage) =>
  pushImage({ origin: source.origin, repository: `team/${name}`, tag: "1" }, it)
const lines = (registry: RealRegistry, pattern: RegExp) =>
  Effect.map(registry.log, (log) => log.filter((it) => pattern.test(it)).length)

/** All names of a copy. */
const judgeCopy = Effect.fnUntraced(function*(
  { backup, source }: { readonly backup: RealRegistry; readonly source: { readonly host: string } },
  name: string,
  { root }: TestImage,
  login?: string
) {
  for (const reference of [":1", `@${root.digest}`, `:${protectionTag(root.digest)}`]) {
    yield* judge({
      registry: backup,
      name: `${into(source, name)}${reference}`,
      root,
      ...(login === undefined ? {} : { login })
    })
  }
})

const provided = <A, E>(effect: Effect.Effect<A, E, NodeServices.NodeServices | Scope.Scope>) =>
  effect.pipe(Effect.scoped, Effect.provide(NodeServices.layer))

it.live.each(["skopeo", "crane"] as const)(
  "%s judges the copies",
  (name, context) =>
    Effect.sync(() => judges[name] ? assert.isTrue(judges[name]) : context.skip(`${name} is not installed`))
)

const ready = distribution2.path !== undefined && distribution3.path !== undefined

describe.runIf(ready && judges.skopeo)("an image of schema 1 in Distribution 2.8", () => {
  /** A 2.8 into which skopeo has put it. */
  const startOld = Effect.gen(function*() {
    const plain = yield* startRegistry(distribution2)
    const old = yield* startRegistry(distribution2, { schema1: true })
    yield* push(plain, "old", image([shared, tarLayer("usr/old")], { flavour: "docker" }))
    const flags = ["--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--format", "v2s1"]
    const from = `docker://${plain.host}/team/old:1`
    const { status, stderr } = spawnSync("skopeo", [...flags, from, `docker://${old.host}/team/old:1`])
    assert.strictEqual(status, 0, stderr.toString())
    return old
  })

  it.live.each<[string, Program, boolean]>([
    ["2.8 that takes schema 1", distribution2, true],
    ["2.8 that does not", distribution2, false],
    ["3", distribution3, false]
  ])("comes to a Distribution %s as schema 2, whole", ([, to, schema1]) =>
    Effect.gen(function*() {
      const source = yield* startOld
      const backup = yield* startRegistry(to, { schema1 })
      const [copied] = yield* clone({ source, backup }, ["old"])
      assert.isDefined(copied?.original)
      assert.notStrictEqual(copied.digest, copied.original)
      for (const reference of [":1", `@${copied.digest}`, `:${protectionTag(copied.digest)}`]) {
        yield* judge({ registry: backup, name: `${into(source, "old")}${reference}`, root: { digest: copied.digest } })
      }
      const name = `docker://${backup.host}/${into(source, "old")}:1`
      const raw = spawnSync("skopeo", ["inspect", "--raw", "--tls-verify=false", name]).stdout
      assert.strictEqual(JSON.parse(raw.toString())["mediaType"], dockerManifest)
      assert.strictEqual(digestOf(raw), copied.digest)
      const puts = yield* lines(backup, /"PUT \//)
      assert.isAbove(puts, 0)
      const [again] = yield* clone({ source, backup }, ["old"])
      assert.strictEqual(again?.upToDate, true)
      assert.strictEqual(yield* lines(backup, /"PUT \//), puts)
    }).pipe(provided))

  it.live("is read from a 2.8 where it has been switched off, and not from a 3 that was put in its place", () =>
    Effect.gen(function*() {
      const before = yield* startOld
      const backup = yield* startRegistry(distribution3)
      const off = yield* startRegistry(distribution2, { over: before })
      const copied = [
        ...(yield* clone({ source: before, backup }, ["old"])),
        ...(yield* clone({ source: off, backup }, ["old"]))
      ]
      assert.strictEqual(copied[1]?.digest, copied[0]?.digest)
      assert.strictEqual(copied[1]?.original, copied[0]?.original)
      const three = yield* startRegistry(distribution3, { over: before })
      const puts = yield* lines(backup, /"(PUT|POST) /)
      const error = yield* Effect.flip(clone({ source: three, backup }, ["old"]))
      assert.deepStrictEqual([error.reason, error.side], ["unavailable", "source"])
      assert.strictEqual(yield* lines(backup, /"(PUT|POST) /), puts)
    }).pipe(provided))
})

describe.runIf(ready).each([distribution2, distribution3])("$name as the backup", (to) => {
  it.live("that is read-only says so, once, and what it has is up to date", () =>
    Effect.gen(function*() {
      const source = yield* startRegistry(distribution2)
      const before = yield* startRegistry(to)
      yield* push(source, "one", one)
      yield* push(source, "two", two)
      yield* clone({ source, backup: before }, ["one"])
      const backup = yield* startRegistry(to, { readOnly: true, over: before })
      const [copied] = yield* clone({ source, backup }, ["one"])
      assert.strictEqual(copied?.upToDate, true)
      yield* judgeCopy({ source, backup }, "one", one)
      const error = yield* Effect.flip(clone({ source, backup }, ["two"]))
      assert.deepStrictEqual([error.reason, error.side, error.retryable], ["denied", "backup", false])
      assert.include(error.message, "405")
      assert.include(error.message, "read-only")
      // a blob, and those that were on their way with it
      const posts = yield* lines(backup, /"POST /)
      assert.isTrue(posts >= 1 && posts <= 5, `${posts} POSTs`)
      assert.strictEqual(yield* lines(backup, /"PUT /), 0)
      // it is writable again
      const after = yield* startRegistry(to, { over: before })
      yield* clone({ source, backup: after }, ["two"])
      yield* judgeCopy({ source, backup: after }, "two", two)
    }).pipe(provided))

  it.live.each<[string, boolean]>([["on", true], ["off", false]])(
    "with deletes %s: uploads that failed are ended, and nothing comes of that",
    ([, deletes]) =>
      Effect.gen(function*() {
        const registry = yield* startRegistry(distribution2)
        const backup = yield* startRegistry(to, { deletes })
        yield* push(registry, "one", one)
        let wrong = true
        const source = yield* startProxy(registry.host, (request, response, forward) => {
          if (!wrong || request.method !== "GET" || !request.url?.endsWith(shared.digest)) return forward()
          response.writeHead(200, { "content-length": shared.bytes.length }).end(Buffer.alloc(shared.bytes.length))
        })
        const uploads = join(backup.directory, "data/docker/registry/v2/repositories", into(source, "one"), "_uploads")
        const error = yield* Effect.flatMap(Cloner, (cloner) =>
          Effect.tap(
            Effect.flip(cloner.clone({ registry: source.host, repository: "team/one", tag: "1" })),
            // while the process lives; Distribution itself leaves folders with the state of a hash behind
            () =>
              Effect.andThen(
                eventually("both tries are not ended", lines(backup, /"DELETE .* (204|404) /), (it) => it >= 2),
                eventually("something is left of them", () =>
                  !readdirSync(uploads, { recursive: true, encoding: "utf8" }).some((it) =>
                    /\/(data|startedat)$/.test(it)
                  ))
              )
          )).pipe(Effect.provide(clonerLayer({ backup: backup.host, plainHttp: [source.host, backup.host] })))
        assert.deepStrictEqual([error.reason, error.side], ["corrupt", "source"])
        wrong = false
        const [copied] = yield* clone({ source, backup }, ["one"])
        assert.strictEqual(copied?.upToDate, false)
        yield* judgeCopy({ source, backup }, "one", one)
      }).pipe(provided)
  )
})

const owner = "owner:password"
/** crane takes no token server at an address. */
const named = (registry: RealRegistry): RealRegistry => ({
  ...registry,
  host: registry.host.replace("127.0.0.1", "localhost")
})
const credentials = (backup: { readonly host: string }): Partial<TestOptions> => ({
  credentials: (registry) => registry === backup.host ? basic("owner", "password") : undefined
})

describe.runIf(ready).each([distribution2, distribution3])("$name behind a token server", (program) => {
  const start = (options: Partial<TokenServerOptions> = {}) =>
    Effect.gen(function*() {
      const tokens = yield* startTokenServer({
        users: { owner: "password" },
        may: (who, repository) =>
          repository.startsWith("mirror/")
            ? who === "owner" ? ["pull", "push"] : []
            : repository.startsWith("team/") && !repository.includes("secret")
            ? ["pull"]
            : [],
        life: 30,
        ...options
      })
      const source = named(yield* startRegistry(program, { token: tokens.trustedAs("source") }))
      const backup = named(yield* startRegistry(program, { token: tokens.trustedAs("backup") }))
      const add = (name: string, it: TestImage) => {
        const repository = `team/${name}`
        const authorization = tokens.authorization("source", repository)
        return pushImage({ origin: source.origin, repository, tag: "1", authorization }, it)
      }
      return { tokens, source, backup, add }
    })

  it.live("is read as anybody and written as the owner, a token each, and mounts with two scopes", () =>
    Effect.gen(function*() {
      const { add, backup, source, tokens } = yield* start()
      yield* add("one", one)
      yield* add("two", two)
      const copied = yield* clone({ source, backup }, ["one", "two"], credentials(backup))
      assert.deepStrictEqual(copied.map((it) => it.blobs.mounted), [0, 1])
      yield* judgeCopy({ source, backup }, "one", one, owner)
      yield* judgeCopy({ source, backup }, "two", two, owner)
      const mine = tokens.asked.filter((it) => it.service === "source")
      assert.isTrue(mine.every((it) => it.who === undefined))
      assert.deepStrictEqual(mine.map((it) => it.scopes), [
        ["repository:team/one:pull"],
        ["repository:team/two:pull"]
      ])
      assert.deepInclude(tokens.asked, {
        who: "owner",
        service: "backup",
        scopes: [`repository:${into(source, "two")}:pull,push`, `repository:${into(source, "one")}:pull`],
        status: 200
      })
    }).pipe(provided))

  it.live("that gives no token for two repositories: nothing is mounted, and all is copied", () =>
    Effect.gen(function*() {
      const { add, backup, source, tokens } = yield* start({ oneScope: true })
      yield* add("one", one)
      yield* add("two", two)
      const copied = yield* clone({ source, backup }, ["one", "two"], credentials(backup))
      assert.deepStrictEqual(copied.map((it) => it.blobs.mounted), [0, 0])
      yield* judgeCopy({ source, backup }, "two", two, owner)
      // asked once, and remembered
      assert.strictEqual(tokens.asked.filter((it) => it.status === 400).length, 1)
    }).pipe(provided))

  it.live("whose tokens end in the middle of a copy: they are renewed, and the copy is whole", () =>
    Effect.gen(function*() {
      const { add, backup, source, tokens } = yield* start({ life: 2 })
      const layers = Array.from({ length: 15 }, (_, at) => tarLayer(`usr/${at}`))
      const many = image(layers)
      yield* add("many", many)
      // blobs that come half a second late: the copy takes longer than a token lives
      const before = yield* startProxy(source.host.replace("localhost", "127.0.0.1"), (request, _, forward) => {
        if (request.method === "GET" && request.url?.includes("/blobs/") === true) setTimeout(forward, 500)
        else forward()
      })
      const late = { host: before.host.replace("127.0.0.1", "localhost") }
      yield* clone({ source: late, backup }, ["many"], credentials(backup))
      yield* judgeCopy({ source: late, backup }, "many", many, owner)
      for (const service of ["source", "backup"]) {
        assert.isAtLeast(tokens.asked.filter((it) => it.service === service).length, 2, service)
      }
      assert.isTrue(tokens.asked.every((it) => it.status === 200))
    }).pipe(provided))

  it.live("keeps what is private and what is not ours: told as what it is", () =>
    Effect.gen(function*() {
      const { add, backup, source, tokens } = yield* start()
      yield* add("secret", one)
      yield* add("one", one)
      const hidden = yield* Effect.flip(clone({ source, backup }, ["secret"], credentials(backup)))
      assert.deepStrictEqual([hidden.reason, hidden.side], ["private", "source"])
      const wrong = yield* Effect.flip(clone({ source, backup }, ["one"], { credentials: () => basic("owner", "no") }))
      assert.deepStrictEqual([wrong.reason, wrong.side, wrong.retryable], ["denied", "backup", false])
      assert.include(wrong.message, "DOCKER_CONFIG")
      const nobody = yield* Effect.flip(clone({ source, backup }, ["one"]))
      assert.deepStrictEqual([nobody.reason, nobody.side], ["denied", "backup"])
      assert.isTrue(tokens.asked.every((it) => it.service === "backup" || it.who === undefined))
    }).pipe(provided))
})
