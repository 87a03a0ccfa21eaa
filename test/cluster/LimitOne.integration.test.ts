// One rollout at a time over every kind in three namespaces, on the sandbox and on a real control plane: what gets stuck gives its
// place up, and stops its own namespace alone.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Ref, Schedule } from "effect"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import * as Ending from "../support/Ending.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

const namespaces = ["calm", "back", "stuck"]

const kinds: ReadonlyArray<readonly ["Deployment" | "StatefulSet" | "DaemonSet", string, JsonObject]> = [
  ["Deployment", "rolling", { progressDeadlineSeconds: 10 }],
  ["Deployment", "three", { progressDeadlineSeconds: 10, replicas: 3 }],
  ["Deployment", "recreate", { progressDeadlineSeconds: 10, strategy: { type: "Recreate" } }],
  ["StatefulSet", "set", {}],
  ["StatefulSet", "pair", { replicas: 2 }],
  ["DaemonSet", "agent", {}]
]

const mark = "image-cloner.io/rewrite"

const replicasOf = (spec: JsonObject) => J.number(spec, "replicas") ?? 1

/** Every workload of a namespace but the bad one: what rolls, and the CronJob. */
const neighbours = (
  where: string,
  rolls: Pick<Ending.Ending, "image" | "reason" | "said">,
  cron: typeof rolls
): Ending.Endings =>
  Object.fromEntries([
    ...kinds.map(([kind, name, spec]) => [`${kind}/${where}/${name}`, { ...rolls, pods: replicasOf(spec) }] as const),
    [`CronJob/${where}/nightly`, { ...cron, pods: 0 }] as const
  ])

/** How many workloads are being rolled to their copies at this moment, those aside that nothing can help. */
const rolling = Effect.map(
  Effect.forEach(
    namespaces.flatMap((where) => ["Deployment", "StatefulSet", "DaemonSet"].map((kind) => [kind, where] as const)),
    ([kind, where]) => W.list(kind, where)
  ),
  (all) =>
    all.flat().filter((object) => {
      const desired = J.number(object, "spec", "replicas") ?? 1
      const updated = J.number(object, "status", "updatedReplicas") ??
        J.number(object, "status", "updatedNumberScheduled")
      const seen = J.number(object, "status", "observedGeneration") === J.number(object, "metadata", "generation")
      return W.imageOf(object).includes("/one/app:1") && W.imageOf(object).includes("/copies/") &&
        !(seen && (updated ?? 0) >= desired)
    }).length
)

for (const place of W.nearest) {
  describe(`one rollout at a time, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "a rollout that is put back and one that is stuck hold up nobody else, and when they are mended all goes to its end",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { backup, upstream } = stageNow
            for (const name of ["app", "back", "stuck"]) {
              yield* upstream.load(`one/${name}`, SampleImage.image(`one ${name}`), "1")
            }
            const image = (name: string) => `${upstream.host}/one/${name}:1`
            const copy = (name: string) => copyOf(stageNow, `one/${name}`, "1")
            for (const name of namespaces) yield* namespace(name)
            for (const where of ["back", "stuck"]) {
              yield* W.make("Deployment", {
                namespace: where,
                name: "bad",
                image: image(where),
                spec: { progressDeadlineSeconds: 10 }
              })
              yield* W.settled(where, "bad")
            }
            // nodes cannot pull these two, whatever the daemon sees of them; and one has no source to go back to
            yield* backup.load(
              copy("stuck").replace(/^[^/]+\//, "").replace(/:1$/, ""),
              SampleImage.image("one stuck"),
              "1"
            )
            yield* upstream.removeRepository("one/stuck")
            const broken = ["back", "stuck"].map((name) =>
              backup.faults.add({
                path: new RegExp(`/one/${name}/manifests/`),
                when: ({ headers, method }) => method === "GET" && headers["user-agent"] !== "image-cloner",
                fault: { _tag: "Respond", status: 503 }
              })
            )
            const settings = { MAX_CONCURRENT_ROLLOUTS: "1", BACKUP_PULL_BY: "nodes" }
            const it = yield* daemon(namespaces, settings)
            for (const [where, reason] of [["back", "pull-unproven"], ["stuck", "stranded"]] as const) {
              yield* eventually(
                `${where} is not ${reason}`,
                () => it.about(`Deployment/${where}/bad`),
                (lines) => lines.some((line) => line.startsWith(`held, ${reason}: `))
              )
            }
            const most = yield* Ref.make(0)
            yield* rolling.pipe(
              Effect.tap((now) => Ref.update(most, (before) => Math.max(before, now))),
              Effect.repeat(Schedule.spaced("100 millis")),
              Effect.forkScoped
            )
            for (const where of namespaces) {
              for (const [kind, name, spec] of kinds) {
                const metadata = { annotations: { [mark]: "never" } }
                yield* W.make(kind, { namespace: where, name, image: image("app"), spec, metadata })
              }
              yield* W.makeCronJob(where, "nightly", image("app"))
            }
            // what has no pods yet takes no place, and would be rewritten at once
            for (const where of namespaces) {
              for (const [kind, name, spec] of kinds) {
                yield* W.settled(where, name, replicasOf(spec))
                yield* W.annotate(kind, where, name, { [mark]: null })
              }
            }

            const done = { image: copy("app"), reason: "already-backup" } as const
            // put back it is of its first revision again, as if a person had gone there: only who did it knows better. The
            // sandbox makes a new revision of it
            const putBack = { reason: place.name === "the sandbox" ? null : "rollback" }
            const waits = (said: string) => ({ image: image("app"), reason: null, said })
            const given: Ending.Given = { namespaces, daemon: it, settings, patience: "60 seconds" }
            yield* Ending.ends({
              ...neighbours("calm", done, done),
              ...neighbours("stuck", waits("stopped"), done),
              ...neighbours("back", waits("pull-unproven"), waits("pull-unproven")),
              "Deployment/stuck/bad": { image: copy("stuck"), pods: -1, reason: "already-backup", said: "stranded" },
              "Deployment/back/bad": { image: image("back"), pods: 1, ...putBack, said: "pull-unproven" }
            }, given)
            const tries = it.about("Deployment/back/bad").filter((line) => line.startsWith("rewritten: "))
            assert.strictEqual(tries.length, 1, "it was tried again at once")

            for (const fault of broken) fault.remove()
            // whoever has mended it does not wait for the rest to be over
            yield* it.kill
            const again = yield* daemon(namespaces, settings)
            yield* Ending.ends({
              ...Object.fromEntries(namespaces.flatMap((where) => Object.entries(neighbours(where, done, done)))),
              "Deployment/stuck/bad": { ...done, image: copy("stuck"), pods: 1 },
              "Deployment/back/bad": place.name === "the sandbox"
                ? { ...done, image: copy("back"), pods: 1 }
                : { image: image("back"), pods: 1, ...putBack, said: "rollback" }
            }, { ...given, daemon: again })
            assert.isAtMost(yield* Ref.get(most), 1)
          }),
        240_000
      )
    })
  })
}
