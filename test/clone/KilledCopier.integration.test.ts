// SIGKILL at every request of a copy in turn: the program as people start it, between two real registries, dies in the middle
// of its n-th request, for every n. What is tagged is whole at any time, and the next run brings the rest and no more.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Stroke } from "../support/Gateway.ts"
import { judge } from "../support/SkopeoAndCrane.ts"
import { distribution3, startRegistry } from "../support/RealRegistry.ts"
import { atEveryRequest, type Broken, moments, startWatched, type Watched } from "./Interruptions.ts"
import { image, pushSigned } from "./SignedImage.ts"
import { assertBackup, storageOf } from "./Wholeness.ts"

const program = fileURLToPath(new URL("../../dist/main.mjs", import.meta.url))

interface Ended {
  readonly ended: number | NodeJS.Signals | null
  readonly said: string
}

/** One run of `image-cloner clone`; `started` gets what can be killed. */
const clone = (gateway: Watched, home: string, started: (child: ChildProcess) => void = () => {}) =>
  Effect.callback<Ended>((resume) => {
    const child = spawn(process.execPath, [program, "clone", `${gateway.source}/app:1`], {
      env: {
        HOME: home,
        NODE_COMPILE_CACHE: join(home, "compiled"),
        BACKUP_REGISTRY: `${gateway.backup}/mirror`,
        PLAIN_HTTP_REGISTRIES: `${gateway.source},${gateway.backup}`
      },
      stdio: ["ignore", "pipe", "pipe"]
    })
    started(child)
    let said = ""
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        said += String(chunk)
      })
    }
    child.once("error", (error) => resume(Effect.die(error)))
    child.once("close", (code, signal) => resume(Effect.succeed({ ended: signal ?? code, said })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const place = Effect.gen(function*() {
  const source = yield* startRegistry(distribution3)
  const backup = yield* startRegistry(distribution3)
  const home = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "image-cloner-home-"))),
    (it) => Effect.promise(() => rm(it, { recursive: true, force: true }))
  )
  yield* pushSigned(source.origin)
  return { source, backup, home }
})

/** One copy into an empty backup that is killed at the stroke, and the run after it. */
const killed = Effect.fnUntraced(function*(
  { backup, home, source }: Effect.Success<typeof place>,
  stroke: Omit<Stroke, "act">
) {
  yield* Effect.promise(() => rm(join(backup.directory, "data"), { recursive: true, force: true }))
  const storage = storageOf(backup)
  const gateway = yield* startWatched({ source: source.host, backup: backup.host }, () => storage)
  let child: ChildProcess | undefined
  gateway.arm({ ...stroke, act: () => child?.kill("SIGKILL") })
  const first = yield* clone(gateway, home, (it) => {
    child = it
  })
  yield* gateway.idle
  gateway.judge()
  const broken: Broken = { struck: gateway.struck(), requests: [...gateway.passed] }
  const where = `${stroke.moment} ${broken.struck?.side} ${broken.struck?.method} ${broken.struck?.url}`
  assert.strictEqual(first.ended, broken.struck === undefined ? 0 : "SIGKILL", `${where}: ${first.said}`)

  gateway.arm(undefined)
  const next = yield* clone(gateway, home)
  yield* gateway.idle
  gateway.judge()
  assert.strictEqual(next.ended, 0, `${where}: ${next.said}`)
  assert.include(next.said, image.root.digest)
  assertBackup(storage, gateway.into)
  assert.deepStrictEqual([...gateway.wrong, ...gateway.unsigned], [], where)
  // what the killed run had brought is not brought again
  assert.strictEqual(new Set(gateway.stored).size, gateway.stored.length, where)
  if (broken.struck?.method === "PUT" && broken.struck.url.includes("/manifests/")) {
    yield* judge({ registry: backup, name: `${gateway.into}:1`, root: image.root })
  }
  return broken
}, Effect.scoped)

describe.skipIf(distribution3.path === undefined)("a copy whose process is killed", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    // who is killed before the answer to a question is killed before the next request, to all who are left
    for (const [name, stroke] of moments.slice(0, 3)) {
      it.effect(`${name} is completed by the next run, and nothing is tagged before it is whole`, () =>
        atEveryRequest(stroke, place, killed))
    }
  })
})
