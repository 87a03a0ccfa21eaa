// Before anything is risked it is shown that pods can pull, on the sandbox and on a real control plane: three databases were
// down because each of them was the first to try.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { copyOf, daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"

for (const place of W.controlPlanes) {
  describe.skipIf(place.skipped)(`what nothing has shown yet, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "leaves databases and CronJobs as they are, names the ways on, and one pod with a copy is enough",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const { upstream } = stageNow
            yield* upstream.load("proof/app", SampleImage.image("proof"), "1")
            const image = `${upstream.host}/proof/app:1`
            const copy = copyOf(stageNow, "proof/app", "1")
            // another namespace shows it for itself alone
            yield* namespace("shown")
            yield* W.make("Deployment", { namespace: "shown", name: "web", image })
            yield* W.settled("shown", "web")
            yield* namespace("databases")
            yield* W.make("StatefulSet", { namespace: "databases", name: "db", image })
            yield* W.settled("databases", "db")
            yield* W.create("CronJob", "databases", {
              metadata: { name: "nightly" },
              spec: {
                schedule: "0 0 1 1 *",
                jobTemplate: {
                  spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "app", image }] } } }
                }
              }
            })
            const it = yield* daemon(["shown", "databases"])
            yield* eventually("not rewritten", W.imageNow("Deployment", "shown", "web"), (it) => it === copy)
            for (const key of ["StatefulSet/databases/db", "CronJob/databases/nightly"]) {
              const said = yield* eventually(
                `no word about ${key}`,
                () => it.about(key).join("\n"),
                (text) => text.includes("pull-unproven")
              )
              assert.include(said, "BACKUP_PULL_BY")
            }
            yield* Effect.sleep("3 seconds")
            assert.strictEqual(yield* W.imageNow("StatefulSet", "databases", "db"), image)

            yield* W.create("Pod", "databases", {
              metadata: { name: "try", labels: { app: "try" } },
              spec: { containers: [{ name: "app", image: copy, imagePullPolicy: "Always" }] }
            })
            yield* eventually("not rewritten", W.imageNow("StatefulSet", "databases", "db"), (it) => it === copy)
            yield* eventually(
              "the CronJob is not rewritten",
              W.get("CronJob", "databases", "nightly"),
              (object) => JSON.stringify(object["spec"]).includes(copy)
            )
          }),
        120_000
      )
    })
  })
}
