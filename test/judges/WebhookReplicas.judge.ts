// Two replicas behind a Service, on a real API server: while they are replaced one after the other, and pods are made all the time, no
// call fails and no pod goes without its copy; when one is killed, pods are made all the same and the other leads.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { connect, createServer } from "node:net"
import { join } from "node:path"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { run } from "../support/Command.ts"
import type { Daemon } from "../support/Daemon.ts"
import { eventually } from "../support/Eventually.ts"
import { copyOf, daemon, namespace, Stage, stage, user } from "../support/Stage.ts"
import * as W from "../support/World.ts"
import { freePort, imagesOf, installed, makePod, mutates } from "../cluster/Webhooks.ts"

/** A Service: new connections go to its endpoints in turns. */
const service = (port: number, endpoints: ReadonlySet<number>) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      let turn = 0
      const server = createServer((socket) => {
        const ports = [...endpoints]
        const target = connect(ports[turn++ % ports.length] ?? 0, "127.0.0.1")
        socket.pipe(target)
        target.pipe(socket)
        socket.on("error", () => target.destroy())
        target.on("error", () => socket.destroy())
      })
      server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => void server.close())
  )

interface Replica {
  readonly daemon: Daemon
  readonly port: number
}

/** A replica that knows what is backed up, and is in the Service from then on. */
const replica = Effect.fnUntraced(function*(name: string, front: number, endpoints: Set<number>) {
  const port = yield* freePort
  const running = yield* daemon(
    ["team"],
    { REWRITE_MODE: "admission", MUTATING_WEBHOOK: "on", BACKUP_PULL_BY: "nodes" },
    undefined,
    {
      POD_NAMESPACE: "cloner",
      POD_NAME: name,
      LEADER_ELECTION: "true",
      WEBHOOK_PORT: String(port),
      WEBHOOK_URL: `https://127.0.0.1:${front}`
    }
  )
  yield* eventually(
    `${name} is not ready`,
    Effect.all([running.http("/readyz"), running.metric("image_cloner_images{state=\"backed-up\"}")]),
    ([ready, images]) => ready.includes("readyz check passed") && images === 1,
    "60 seconds"
  )
  endpoints.add(port)
  return { daemon: running, port } satisfies Replica
})

/** How often the API server went on without an answer. */
const failedOpen = Effect.gen(function*() {
  const env = yield* user
  const { stdout } = yield* run(
    join(process.env["KUBEBUILDER_ASSETS"] ?? "", "kubectl"),
    ["get", "--raw", "/metrics"],
    { env: { ...env, PATH: process.env["PATH"] ?? "", HOME: env.DOCKER_CONFIG } }
  )
  const lines = stdout.split("\n").filter((it) =>
    /^apiserver_admission_webhook_fail_open_count\{.*image-cloner/.test(it)
  )
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0)
})

const real = W.controlPlanes.filter((it) => it.name !== "the sandbox")

for (const place of real) {
  describe.skipIf(place.skipped)(`webhooks of two replicas on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "answer every call while the replicas are replaced, and let pods be made when one is killed",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const image = `${stageNow.upstream.host}/team/web:1`
            const copy = copyOf(stageNow, "team/web", "1")
            yield* installed
            yield* stageNow.upstream.load("team/web", SampleImage.image("web"), "1")
            yield* namespace("team")
            yield* W.make("Deployment", { namespace: "team", name: "web", image })
            const front = yield* freePort
            const endpoints = new Set<number>()
            yield* service(front, endpoints)
            const first = yield* replica("first", front, endpoints)
            const second = yield* replica("second", front, endpoints)
            yield* mutates(1)
            const named = (name: string) =>
              Effect.map(makePod("team", name, image, { dryRun: "All" }), (pod) => imagesOf(pod)[0])
            yield* eventually("pods are not pointed to the copy", named("try"), (it) => it === copy)

            const made: Array<string | undefined> = []
            const load = { ends: false }
            const loading = yield* Effect.forkChild(Effect.forEach([1, 2, 3, 4], (at) =>
              Effect.gen(function*() {
                while (!load.ends) made.push(yield* named(`load-${at}`))
              }), { concurrency: 4, discard: true }))

            /** As a rolling update: one more comes, and another goes and is out of the Service a second later. */
            const replace = Effect.fnUntraced(function*(old: Replica, by: string) {
              const fresh = yield* replica(by, front, endpoints)
              const before = made.length
              yield* old.daemon.signal("SIGTERM")
              yield* Effect.sleep("1 second")
              endpoints.delete(old.port)
              assert.strictEqual(yield* old.daemon.exitCode, 0)
              assert.isAbove(made.length - before, 50)
              return fresh
            })
            const third = yield* replace(first, "third")
            const fourth = yield* replace(second, "fourth")
            load.ends = true
            yield* Fiber.join(loading)
            assert.strictEqual(made.filter((it) => it !== copy).length, 0)
            assert.strictEqual(yield* failedOpen, 0)

            // killed, without a word to the Service
            const leads = (of: Replica) => of.daemon.metric("image_cloner_leader")
            const [one] = yield* eventually(
              "nobody leads",
              Effect.all([leads(third), leads(fourth)]),
              ([a, b]) => a + b === 1,
              "40 seconds"
            )
            const [leader, other] = one === 1 ? [third, fourth] : [fourth, third]
            yield* leader.daemon.kill
            for (let at = 0; at < 8; at++) assert.include([copy, image], yield* named(`killed-${at}`))
            endpoints.delete(leader.port)
            yield* eventually("the other does not lead", leads(other), (it) => it === 1, "40 seconds")
            assert.strictEqual(yield* named("after"), copy)
          }),
        240_000
      )
    })
  })
}
