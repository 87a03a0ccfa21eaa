// Events on a real API server with RBAC, as people see them by kubectl: with the right that manifests/base has, and without it.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import type { ToldEvent } from "../../src/controller/events/EventOf.ts"
import * as Told from "../../src/controller/events/Events.ts"
import { writeEvents } from "../../src/controller/events/WriteEvents.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { ProcessSettings } from "../../src/settings/ProcessSettings.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { SettingsRef } from "../../src/settings/SettingsRef.ts"
import { eventsWritten } from "../../src/telemetry/Metrics.ts"
import { folder } from "../cli/Cli.ts"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { eventually } from "../support/Eventually.ts"
import { copyOf, daemon, namespace, Stage } from "../support/Stage.ts"
import * as W from "../support/World.ts"
import { kubectl, ownKubeconfig, place, skipped } from "./Place.ts"

const env = { POD_NAMESPACE: "image-cloner", POD_NAME: "image-cloner-controller-0" }

/** Our Events of a namespace, as `reason kind/name`. */
const eventsIn = (where: string) =>
  Effect.map(
    kubectl(
      "-n",
      where,
      "get",
      "events",
      "--field-selector=reportingComponent=image-cloner.io/controller",
      "-o=jsonpath={range .items[*]}{.reason} {.involvedObject.kind}/{.involvedObject.name}{\"\\n\"}{end}"
    ),
    (it) => it.stdout.trim().split("\n").toSorted()
  )

/** Lines of the log that say something of Events. */
const saidOfEvents = (log: ReadonlyArray<J.JsonObject>) =>
  log.map((line) => J.text(line, "message") ?? "").filter((it) => /\bEvents?\b/.test(it))

describe.skipIf(skipped)("Events", () => {
  it.layer(place, { timeout: "90 seconds", excludeTestServices: true })((it) => {
    it.effect(
      "tell people of a rewrite, of an image that cannot be copied, and of rejected settings",
      () =>
        Effect.gen(function*() {
          const { upstream } = yield* Stage
          yield* upstream.load("told/web", SampleImage.image("told web"), "1")
          yield* namespace("told")
          yield* W.make("Deployment", { namespace: "told", name: "web", image: `${upstream.host}/told/web:1` })
          yield* W.settled("told", "web")
          yield* W.make("Deployment", { namespace: "told", name: "lost", image: `${upstream.host}/told/lost:1` })
          const running = yield* daemon(["told"], {}, yield* ownKubeconfig, env)
          yield* eventually(
            "the Events are not there",
            eventsIn("told"),
            (it) =>
              ["CopyFailed Deployment/lost", "Rewritten Deployment/web", "RolledOut Deployment/web"].every((one) =>
                it.includes(one)
              ),
            "60 seconds"
          )
          assert.lengthOf(yield* eventsIn("told"), 3)
          const web = yield* kubectl("-n", "told", "describe", "deployment", "web")
          assert.match(web.stdout, /Normal\s+Rewritten\s.*image-cloner.*1 image names its copy in the backup/)
          const lost = yield* kubectl("-n", "told", "describe", "deployment", "lost")
          assert.match(lost.stdout, /Warning\s+CopyFailed\s.*told\/lost:1/)

          yield* running.configure({ MAX_CONCURRENT_ROLLOUTS: "many" })
          yield* eventually(
            "the rejected settings have no Event",
            eventsIn("image-cloner"),
            (it) => it.includes("SettingsRejected ConfigMap/image-cloner-configuration")
          )
          const settings = yield* kubectl(
            "-n",
            "image-cloner",
            "events",
            "--for",
            "configmap/image-cloner-configuration"
          )
          assert.include(settings.stdout, "MAX_CONCURRENT_ROLLOUTS")
          assert.notInclude(settings.stdout, "many")
          assert.deepStrictEqual(saidOfEvents(running.log), [])
          assert.strictEqual(yield* running.metric("image_cloner_events_total{result=\"written\"}"), 4)
          yield* running.kill
        }),
      120_000
    )

    it.effect("of the same object and cause are one with a count, and the longest are taken", () =>
      Effect.gen(function*() {
        yield* W.namespace("again")
        const config = yield* folder({ kubeconfig: yield* ownKubeconfig })
        const client = KubeClient.layer({ kubeconfig: `${config}/kubeconfig` })
        const context = yield* Layer.build(Layer.mergeAll(
          Told.layer,
          Layer.provide(client, NodeServices.layer),
          Layer.provide(ProcessSettings.layer, NodeServices.layer),
          SettingsRef.layerOf(settingsOf("backup.example/copies"))
        ))
        yield* Effect.forkScoped(Effect.provide(writeEvents, context))
        const { tell } = yield* Effect.provide(Effect.service(Told.Events), context)
        const event: ToldEvent = {
          regarding: {
            apiVersion: "apps/v1",
            kind: "Deployment",
            namespace: "again",
            name: `${"a".repeat(252)}z`,
            uid: undefined
          },
          type: "Warning",
          reason: "Held",
          action: "Rewriting",
          note: "\u{1f433}".repeat(2000),
          cause: "refused"
        }
        yield* tell(event)
        yield* tell(event)
        const found = yield* eventually(
          "it is not counted",
          Effect.map(
            kubectl("-n", "again", "get", "events.events.k8s.io", "-o=json"),
            (it) => J.list(J.parse(it.stdout) as J.JsonObject, "items") // what kubectl prints is an object
          ),
          (it) => it.some((one) => J.at(one, "series", "count") === 2)
        )
        assert.lengthOf(found, 1)
        assert.strictEqual(yield* Effect.map(Metric.value(eventsWritten({ result: "counted" })), (it) => it.count), 1)
      }).pipe(Effect.scoped))

    it.effect(
      "are missed by nobody where the right is: the rest goes on, and the log says so once",
      () =>
        Effect.gen(function*() {
          const stageNow = yield* Stage
          const { upstream } = stageNow
          const rules = yield* kubectl(
            "patch",
            "clusterrole",
            "image-cloner-controller",
            "--type=json",
            `-p=${
              JSON.stringify([
                { op: "test", path: "/rules/5/apiGroups/0", value: "events.k8s.io" },
                { op: "remove", path: "/rules/5" }
              ])
            }`
          )
          assert.strictEqual(rules.code, 0, rules.stderr)
          yield* namespace("untold")
          for (const name of ["one", "two"]) {
            yield* upstream.load(`untold/${name}`, SampleImage.image(`untold ${name}`), "1")
            yield* W.make("Deployment", { namespace: "untold", name, image: `${upstream.host}/untold/${name}:1` })
            yield* W.settled("untold", name)
          }
          const running = yield* daemon(["untold"], {}, yield* ownKubeconfig, env)
          for (const name of ["one", "two"]) {
            yield* eventually(
              `${name} is not rewritten`,
              W.imageNow("Deployment", "untold", name),
              (it) => it === copyOf(stageNow, `untold/${name}`, "1"),
              "60 seconds"
            )
          }
          yield* eventually(
            "the others are not left out",
            running.metric("image_cloner_events_total{result=\"resting\"}"),
            (it) => it >= 1
          )
          const said = saidOfEvents(running.log)
          assert.lengthOf(said, 1)
          assert.include(said[0] ?? "", "manifests/base")
          assert.deepStrictEqual(yield* eventsIn("untold"), [""])
          assert.strictEqual(yield* running.metric("image_cloner_events_total{result=\"refused\"}"), 1)
        }),
      120_000
    )
  })
})
