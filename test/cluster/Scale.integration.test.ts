// Two hundred workloads over forty images: nothing is copied or rewritten twice, limits hold, and being killed changes nothing.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Random, Ref, Schedule } from "effect"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import type { EmbeddedRegistry } from "../../sandbox/registry/EmbeddedRegistry.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const images = 40
const workloads = 200
const permits = 3
const rollouts = 4
const namespaces = 4
const patience = "240 seconds"

const settings = {
  MAX_CONCURRENT_RECONCILES: String(permits),
  MAX_CONCURRENT_ROLLOUTS: String(rollouts)
}

const base = SampleImage.layer("base of all", 30_000)

/** Forty images that share a layer, and two hundred Deployments of them in four namespaces. */
const build = Effect.fnUntraced(function*(prefix: string) {
  const { upstream } = yield* Stage
  for (let index = 0; index < images; index++) {
    const layers = [base, SampleImage.layer(`${prefix} ${index}`, 20_000)]
    yield* upstream.load(`${prefix}/app-${index}`, SampleImage.image(`${prefix} ${index}`, { layers }), "1")
  }
  const names = Array.from({ length: namespaces }, (_, index) => `${prefix}-${index}`)
  for (const name of names) yield* namespace(name)
  yield* Effect.forEach(
    Array.from({ length: workloads }, (_, index) => index),
    (index) =>
      W.make("Deployment", {
        namespace: names[index % namespaces] ?? "",
        name: `w-${index}`,
        image: `${upstream.host}/${prefix}/app-${index % images}:1`
      }),
    { concurrency: 8, discard: true }
  )
  yield* eventually(
    "not all pods run",
    everything(names),
    (all) => all.length === workloads && all.every(isAvailable),
    patience
  )
  return names
})

const everything = (names: ReadonlyArray<string>) =>
  Effect.map(Effect.forEach(names, (it) => W.list("Deployment", it)), (all) => all.flat())

const isAvailable = (object: JsonObject): boolean =>
  J.number(object, "status", "observedGeneration") === J.number(object, "metadata", "generation") &&
  J.number(object, "status", "updatedReplicas") === 1 &&
  J.number(object, "status", "replicas") === 1 &&
  J.number(object, "status", "availableReplicas") === 1

const isRewritten = (object: JsonObject): boolean => W.imageOf(object).includes("/copies/")

/** The most images that were between their first request, the looks at names aside, and their tag at one moment. */
const mostInFlight = (backup: EmbeddedRegistry, prefix: string): number => {
  const spans = new Map<string, { from: number; to: number }>()
  for (const { endedAt, method, path, startedAt } of backup.log.entries()) {
    const repository = new RegExp(`^/v2/copies/[^/]+/(${prefix}/app-\\d+)/`).exec(path)?.[1]
    if (repository === undefined || (method === "HEAD" && path.includes("/manifests/"))) continue
    const span = spans.get(repository) ?? { from: startedAt, to: startedAt }
    if (method === "PUT" && path.endsWith("/manifests/1")) span.to = endedAt ?? startedAt
    spans.set(repository, span)
  }
  const all = [...spans.values()]
  return Math.max(...all.map((it) => all.filter((other) => other.from <= it.from && it.from < other.to).length))
}

const tagged = (backup: EmbeddedRegistry, prefix: string): ReadonlyArray<string> =>
  backup.log.entries().filter((it) =>
    it.method === "PUT" && it.path.includes(`/${prefix}/app-`) && it.path.endsWith("/manifests/1")
  ).map((it) => it.path)

/** Whether its images are nobody's: whoever applies its manifest is not refused. */
const isGivenUp = (object: JsonObject): boolean =>
  J.list(object, "metadata", "managedFields").filter((it) => J.text(it, "manager") === "image-cloner")
    .every((it) => !JSON.stringify(J.at(it, "fieldsV1") ?? null).includes("\"f:image\""))

/** Every Deployment names its copy, was changed once, and runs; every copy is the source's. */
const assertDone = Effect.fnUntraced(function*(prefix: string, names: ReadonlyArray<string>) {
  const stageNow = yield* Stage
  const { backup, upstream } = stageNow
  const all = yield* eventually(
    "not all are rewritten, rolled out and given up",
    everything(names),
    (objects) =>
      objects.length === workloads && objects.every((it) => isRewritten(it) && isAvailable(it) && isGivenUp(it)),
    patience
  )
  for (const object of all) {
    const index = Number(J.text(object, "metadata", "name")?.slice(2))
    assert.strictEqual(W.imageOf(object), copyOf(stageNow, `${prefix}/app-${index % images}`, "1"))
    assert.strictEqual(J.number(object, "metadata", "generation"), 2, "it was changed more than once")
  }
  for (let index = 0; index < images; index++) {
    const repository = `copies/${upstream.host.replace(":", "_")}/${prefix}/app-${index}`
    assert.strictEqual(backup.resolve(repository, "1"), upstream.resolve(`${prefix}/app-${index}`, "1"))
  }
})

for (const place of W.nearest) {
  describe(`two hundred workloads on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "are rewritten once each, within the limits; an image that cannot be had costs one retry at a time",
        () =>
          Effect.gen(function*() {
            const { backup, upstream } = yield* Stage
            const names = yield* build("scale")
            // two hundred users of an image that does not exist; CronJobs, because they have no pods that would ask for it
            yield* Effect.forEach(
              Array.from({ length: workloads }, (_, index) => index),
              (index) =>
                W.create("CronJob", names[index % namespaces] ?? "", {
                  metadata: { name: `dead-${index}` },
                  spec: {
                    schedule: "0 0 1 1 *",
                    jobTemplate: {
                      spec: {
                        template: {
                          spec: {
                            restartPolicy: "Never",
                            containers: [{ name: "app", image: `${upstream.host}/scale/dead:1` }]
                          }
                        }
                      }
                    }
                  }
                }),
              { concurrency: 8, discard: true }
            )
            backup.log.clear()
            const most = yield* Ref.make(0)
            const it = yield* daemon(names, settings)
            yield* everything(names).pipe(
              Effect.map((all) => all.filter((object) => isRewritten(object) && !isAvailable(object)).length),
              Effect.tap((now) => Ref.update(most, (before) => Math.max(before, now))),
              Effect.repeat(Schedule.spaced("100 millis")),
              Effect.forkScoped
            )
            yield* assertDone("scale", names)
            assert.isAtMost(yield* Ref.get(most), rollouts)
            assert.isAtMost(mostInFlight(backup, "scale"), permits)
            assert.deepStrictEqual(tagged(backup, "scale").toSorted(), [...new Set(tagged(backup, "scale"))].toSorted())
            assert.strictEqual(tagged(backup, "scale").length, images)
            assert.strictEqual(yield* it.metric("image_cloner_rewrites_total{result=\"rewritten\"}"), workloads)
            assert.strictEqual(yield* it.metric("image_cloner_clones_total{result=\"copied\"}"), images)
            assert.isAtMost(yield* it.metric("image_cloner_clones_total{result=\"not-found\"}"), 2)
          }),
        300_000
      )

      it.effect("end in the same state when the daemon is killed at ten random moments", () =>
        Effect.gen(function*() {
          const names = yield* build("killed")
          for (let kill = 0; kill < 10; kill++) {
            yield* Effect.scoped(Effect.gen(function*() {
              const it = yield* daemon(names, settings)
              yield* Effect.sleep(400 + (yield* Random.nextIntBetween(0, 1500)))
              yield* it.kill
            }))
          }
          yield* daemon(names, settings)
          yield* assertDone("killed", names)
        }), 300_000)
    })
  })
}
