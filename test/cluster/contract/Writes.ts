// Contract: creating and replacing objects — what the server fills in, what it refuses and in which words.
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../../sandbox/Json.ts"
import * as J from "../../../sandbox/Json.ts"
import * as ControlPlane from "./ControlPlane.ts"
import { TestCluster } from "./ControlPlane.ts"
import * as Objects from "./Objects.ts"

/** The parts of a Status that a client may rely on. */
export const failure = (status: JsonObject) => ({
  code: status["code"],
  reason: status["reason"],
  message: status["message"],
  details: status["details"]
})

export const writes = (it: Vitest.MethodsNonLive<ControlPlane.Needs>) => {
  it.effect("creation fills in metadata, defaults and a first status", () =>
    Effect.gen(function*() {
      const namespace = yield* ControlPlane.namespace
      const paths = Objects.paths(namespace)
      const made = yield* ControlPlane.call(
        "POST",
        paths.deployments,
        Objects.deployment("web", "app:1", { paused: true })
      )
      const meta = J.object(made, "metadata")
      assert.match(String(meta["uid"]), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      assert.match(String(meta["creationTimestamp"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      assert.strictEqual(meta["generation"], 1)
      assert.match(String(meta["resourceVersion"]), /^[1-9][0-9]*$/)
      assert.deepStrictEqual(made["spec"], {
        paused: true,
        replicas: 2,
        selector: { matchLabels: { app: "web" } },
        template: {
          metadata: { labels: { app: "web" } },
          spec: {
            containers: [{
              name: "app",
              image: "app:1",
              resources: {},
              terminationMessagePath: "/dev/termination-log",
              terminationMessagePolicy: "File",
              imagePullPolicy: "IfNotPresent"
            }],
            restartPolicy: "Always",
            terminationGracePeriodSeconds: 1,
            dnsPolicy: "ClusterFirst",
            securityContext: {},
            schedulerName: "default-scheduler"
          }
        },
        strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "25%", maxSurge: "25%" } },
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600
      })
      assert.deepStrictEqual(made["status"], {})
    }))

  for (
    const [kind, make] of [
      ["daemonSets", Objects.daemonSet],
      ["statefulSets", Objects.statefulSet],
      ["cronJobs", Objects.cronJob],
      ["replicationControllers", Objects.replicationController]
    ] as const
  ) {
    it.effect(`the defaults of ${kind} are these`, () =>
      Effect.gen(function*() {
        const paths = Objects.paths(yield* ControlPlane.namespace)
        const made = yield* ControlPlane.call("POST", paths[kind], make("x", "app"))
        const { template: _one, jobTemplate: _other, ...spec } = J.object(made, "spec")
        const expected: Record<typeof kind, JsonObject> = {
          daemonSets: {
            selector: { matchLabels: { app: "x" } },
            updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
            revisionHistoryLimit: 10
          },
          statefulSets: {
            replicas: 2,
            selector: { matchLabels: { app: "x" } },
            serviceName: "x",
            podManagementPolicy: "OrderedReady",
            updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
            revisionHistoryLimit: 10,
            persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" }
          },
          cronJobs: {
            schedule: "0 0 1 1 *",
            concurrencyPolicy: "Allow",
            suspend: false,
            successfulJobsHistoryLimit: 3,
            failedJobsHistoryLimit: 1
          },
          replicationControllers: { replicas: 1, selector: { app: "x" } }
        }
        assert.deepStrictEqual(spec, expected[kind])
        assert.strictEqual(
          J.text(
            made,
            "spec",
            ...(kind === "cronJobs" ? ["jobTemplate", "spec"] : []),
            "template",
            "spec",
            "containers",
            0,
            "imagePullPolicy"
          ),
          "Always"
        )
      }))
  }

  it.effect("a pod gets its account, its token volume, tolerations and a class", () =>
    Effect.gen(function*() {
      const paths = Objects.paths(yield* ControlPlane.namespace)
      yield* ControlPlane.call(
        "PATCH",
        `${paths.serviceAccounts}/default`,
        { imagePullSecrets: [{ name: "login" }] },
        Objects.mergePatch
      )
      const made = yield* ControlPlane.call(
        "POST",
        paths.pods,
        Objects.pod("p", "app:1", { schedulingGates: [{ name: "x/y" }] })
      )
      const spec = J.object(made, "spec")
      assert.strictEqual(spec["serviceAccountName"], "default")
      assert.deepStrictEqual(spec["imagePullSecrets"], [{ name: "login" }])
      assert.match(J.text(spec, "volumes", 0, "name") ?? "", /^kube-api-access-[a-z0-9]{5}$/)
      assert.deepStrictEqual(J.list(spec, "containers", 0, "volumeMounts"), [{
        name: J.text(spec, "volumes", 0, "name") ?? "",
        readOnly: true,
        mountPath: "/var/run/secrets/kubernetes.io/serviceaccount"
      }])
      assert.strictEqual(J.list(spec, "tolerations").length, 2)
      assert.strictEqual(J.text(made, "status", "phase"), "Pending")
      assert.strictEqual(J.text(made, "status", "qosClass"), "BestEffort")
    }))

  it.effect("generateName makes names, and the name that is taken is refused", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const paths = Objects.paths(yield* ControlPlane.namespace)
      const generated = yield* ControlPlane.call("POST", paths.configMaps, { metadata: { generateName: "some-" } })
      assert.match(J.text(generated, "metadata", "name") ?? "", /^some-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
      yield* ControlPlane.call("POST", paths.configMaps, Objects.configMap("one"))
      const again = yield* raw({ method: "POST", path: paths.configMaps, body: Objects.configMap("one") })
      assert.strictEqual(again.status, 409)
      assert.deepStrictEqual(failure(again.body), {
        code: 409,
        reason: "AlreadyExists",
        message: `configmaps "one" already exists`,
        details: { name: "one", kind: "configmaps" }
      })
    }))

  it.effect("what is not there is told as NotFound: object, namespace, path", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const paths = Objects.paths(yield* ControlPlane.namespace)
      const object = yield* raw({ method: "GET", path: `${paths.deployments}/none` })
      assert.deepStrictEqual(object.body, {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Failure",
        message: `deployments.apps "none" not found`,
        reason: "NotFound",
        details: { name: "none", group: "apps", kind: "deployments" },
        code: 404
      })
      const namespace = yield* raw({
        method: "POST",
        path: Objects.paths("nowhere").configMaps,
        body: Objects.configMap("one")
      })
      assert.deepStrictEqual(failure(namespace.body), {
        code: 404,
        reason: "NotFound",
        message: `namespaces "nowhere" not found`,
        details: { name: "nowhere", kind: "namespaces" }
      })
      const path = yield* raw({ method: "GET", path: "/apis/apps/v1/nothings" })
      assert.strictEqual(path.status, 404)
    }))

  const refusals: ReadonlyArray<
    readonly [string, (paths: ReturnType<typeof Objects.paths>) => [string, JsonObject], RegExp, ReadonlyArray<string>]
  > = [
    [
      "a name that is none",
      (it) => [it.configMaps, Objects.configMap("Not_A_Name")],
      /ConfigMap "Not_A_Name" is invalid: metadata.name: Invalid value: "Not_A_Name": a lowercase RFC 1123 subdomain/,
      ["metadata.name"]
    ],
    [
      "no name",
      (it) => [it.configMaps, { metadata: {} }],
      /metadata.name: Required value: name or generateName is required/,
      ["metadata.name"]
    ],
    [
      "a container without an image",
      (it) => [it.pods, Objects.pod("p", "")],
      /Pod "p" is invalid: spec.containers\[0\].image: Required value/,
      ["spec.containers[0].image"]
    ],
    [
      "an image in spaces",
      (it) => [it.pods, Objects.pod("p", " app ")],
      /spec.containers\[0\].image: Invalid value: " app ": must not have leading or trailing whitespace/,
      ["spec.containers[0].image"]
    ],
    [
      "a selector that does not select",
      (it) => [it.deployments, Objects.deployment("web", "app:1", { selector: { matchLabels: { other: "x" } } })],
      /Deployment.apps "web" is invalid: spec.template.metadata.labels: Invalid value: .*`selector` does not match template `labels`/,
      ["spec.template.metadata.labels"]
    ],
    [
      "no containers",
      (it) => [it.pods, Objects.pod("p", "x", { containers: [] })],
      /Pod "p" is invalid: spec.containers: Required value/,
      ["spec.containers"]
    ],
    [
      "a Deployment's pods that end",
      (it) => [it.deployments, Objects.deployment("web", "app:1", {}, { restartPolicy: "Never" })],
      /spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"/,
      ["spec.template.spec.restartPolicy"]
    ]
  ]
  for (const [what, build, message, fields] of refusals) {
    it.effect(`422 for ${what}`, () =>
      Effect.gen(function*() {
        const { raw } = yield* TestCluster
        const [path, body] = build(Objects.paths(yield* ControlPlane.namespace))
        const answer = yield* raw({ method: "POST", path, body })
        assert.strictEqual(answer.status, 422)
        assert.strictEqual(answer.body["reason"], "Invalid")
        assert.match(J.text(answer.body, "message") ?? "", message)
        assert.deepStrictEqual(J.list(answer.body, "details", "causes").map((one) => J.text(one, "field")), [...fields])
      }))
  }

  it.effect("400 for a body of another kind, namespace or shape", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const paths = Objects.paths(yield* ControlPlane.namespace)
      for (
        const body of [
          Objects.pod("p", "app:1"),
          { ...Objects.configMap("one"), metadata: { name: "one", namespace: "other" } },
          "no json"
        ]
      ) {
        const answer = yield* raw({ method: "POST", path: paths.configMaps, body })
        assert.strictEqual(answer.status, 400)
        assert.strictEqual(answer.body["reason"], "BadRequest")
      }
    }))

  it.effect("a replacement keeps what is the server's, counts generations, and meets its preconditions", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const paths = Objects.paths(yield* ControlPlane.namespace)
      // A kind that no controller writes to while it is suspended.
      const path = `${paths.cronJobs}/web`
      const { spec } = Objects.cronJob("web", "app:1")
      const suspended = { ...Objects.cronJob("web", "app:1"), spec: { ...J.object(spec), suspend: true } }
      const made = yield* ControlPlane.call("POST", paths.cronJobs, suspended)
      const sent = J.clone(made)
      J.ensure(sent, "spec")["failedJobsHistoryLimit"] = 3
      sent["status"] = { lastScheduleTime: "2020-01-01T00:00:00Z" }
      const replaced = yield* ControlPlane.call("PUT", path, sent)
      assert.strictEqual(J.number(replaced, "metadata", "generation"), 2)
      assert.strictEqual(J.text(replaced, "status", "lastScheduleTime"), undefined)
      assert.strictEqual(J.text(replaced, "metadata", "uid"), J.text(made, "metadata", "uid"))
      const stale = yield* raw({ method: "PUT", path, body: sent })
      assert.deepStrictEqual(failure(stale.body), {
        code: 409,
        reason: "Conflict",
        message:
          `Operation cannot be fulfilled on cronjobs.batch "web": the object has been modified; please apply your changes to the latest version and try again`,
        details: { name: "web", group: "batch", kind: "cronjobs" }
      })
      const other = J.clone(replaced)
      J.ensure(other, "metadata")["uid"] = "00000000-0000-4000-8000-000000000000"
      J.ensure(other, "metadata")["resourceVersion"] = ""
      const swapped = yield* raw({ method: "PUT", path, body: other })
      assert.strictEqual(swapped.status, 409)
      assert.match(J.text(swapped.body, "message") ?? "", /Precondition failed: UID in precondition: 00000000/)
    }))

  it.effect("who may not come in is told so", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const answer = yield* raw({ method: "GET", path: "/api/v1/pods", token: "wrong" })
      assert.deepStrictEqual(answer.body, {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Failure",
        message: "Unauthorized",
        reason: "Unauthorized",
        code: 401
      })
    }))
}
