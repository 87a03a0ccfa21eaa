// Contract: controllers and kubelet — rollouts as `kubectl rollout status` judges them, what pods report of their images,
// pulls that fail and recover, and whose credentials are used.
import { assert, type Vitest } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { JsonObject } from "../../../sandbox/Json.ts"
import * as J from "../../../sandbox/Json.ts"
import * as Registries from "../../../sandbox/registry/EmbeddedRegistry.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import { kindOf } from "../../../src/workload/Kinds.ts"
import { projectTemplated } from "../../../src/workload/Project.ts"
import { projectPod } from "../../../src/workload/ProjectPod.ts"
import { newestPods } from "../../../src/workload/Rollout.ts"
import * as ControlPlane from "./ControlPlane.ts"
import { TestCluster } from "./ControlPlane.ts"
import { eventually } from "../../support/Eventually.ts"
import * as Objects from "./Objects.ts"

const generationSeen = (it: JsonObject): boolean =>
  J.number(it, "status", "observedGeneration") === J.number(it, "metadata", "generation")
const counts = (it: JsonObject, field: string): number => J.number(it, "status", field) ?? 0
const wanted = (it: JsonObject): number => J.number(it, "spec", "replicas") ?? 1

/** kubectl rollout status, kind by kind. */
const rolledOut = {
  deployments: (it: JsonObject) =>
    generationSeen(it) &&
    ["updatedReplicas", "replicas", "availableReplicas"].every((field) => counts(it, field) === wanted(it)),
  statefulSets: (it: JsonObject) =>
    generationSeen(it) && counts(it, "readyReplicas") === wanted(it) &&
    J.text(it, "status", "currentRevision") === J.text(it, "status", "updateRevision"),
  daemonSets: (it: JsonObject) =>
    generationSeen(it) && counts(it, "desiredNumberScheduled") > 0 &&
    ["updatedNumberScheduled", "numberAvailable"].every((field) =>
      counts(it, field) === counts(it, "desiredNumberScheduled")
    )
}
const rollsOut = (kind: keyof typeof rolledOut, path: string) =>
  eventually(`${path} does not roll out`, ControlPlane.call("GET", path), rolledOut[kind])

const makers = {
  deployments: (name: string, image: string) => Objects.deployment(name, image),
  statefulSets: (name: string, image: string) => Objects.statefulSet(name, image),
  daemonSets: Objects.daemonSet
}

const setImage = (path: string, image: string) =>
  ControlPlane.call(
    "PATCH",
    path,
    { spec: { template: { spec: { containers: [{ name: "app", image }] } } } },
    Objects.strategicPatch
  )

const live = (list: JsonObject): ReadonlyArray<JsonObject> =>
  J.list(list, "items").filter(J.isObject).filter((it) => J.text(it, "metadata", "deletionTimestamp") === undefined)
const imageIds = (
  list: JsonObject
) => [...new Set(live(list).map((it) => J.text(it, "status", "containerStatuses", 0, "imageID")))]
const waiting = (it: JsonObject) => J.text(it, "status", "containerStatuses", 0, "state", "waiting", "reason")
const running = (it: JsonObject) => J.text(it, "status", "phase") === "Running"

/** Two versions of an image in the cluster's registry, under a name of their own. */
const published = Effect.fnUntraced(function*(name: string) {
  const { registry } = yield* TestCluster
  const one = SampleImage.twoPlatforms(`${name} one`)
  const two = SampleImage.twoPlatforms(`${name} two`)
  yield* registry.load(name, one, "1")
  yield* registry.load(name, two, "2")
  return { one: one.manifest.digest, two: two.manifest.digest, repository: `${registry.host}/${name}` }
})

export const workloads = (it: Vitest.MethodsNonLive<ControlPlane.Needs>) => {
  for (const kind of ["deployments", "statefulSets", "daemonSets"] as const) {
    it.effect(`${kind} roll out, and again when their image changes`, () =>
      Effect.gen(function*() {
        const paths = Objects.paths(yield* ControlPlane.namespace)
        const image = yield* published(`roll/${kind.toLowerCase()}`)
        const path = `${paths[kind]}/web`
        yield* ControlPlane.call("POST", paths[kind], makers[kind]("web", `${image.repository}:1`))
        yield* rollsOut(kind, path)
        assert.deepStrictEqual(imageIds(yield* ControlPlane.call("GET", paths.pods)), [
          `${image.repository}@${image.one}`
        ])
        yield* setImage(path, `${image.repository}:2`)
        yield* rollsOut(kind, path)
        yield* eventually(
          "the pods run another image",
          ControlPlane.call("GET", paths.pods),
          (list) => imageIds(list).join(" ") === `${image.repository}@${image.two}`
        )
      }))
  }

  it.effect("a Deployment's pods belong to a ReplicaSet, whose template carries the annotations of the Deployment's", () =>
    Effect.gen(function*() {
      const paths = Objects.paths(yield* ControlPlane.namespace)
      const image = yield* published("owned")
      const object = Objects.deployment("web", `${image.repository}:1`)
      J.ensure(object, "spec", "template", "metadata")["annotations"] = { "example.com/original": "x" }
      const made = yield* ControlPlane.call("POST", paths.deployments, object)
      yield* rollsOut("deployments", `${paths.deployments}/web`)
      const [set, ...more] = live(yield* ControlPlane.call("GET", paths.replicaSets))
      assert.strictEqual(more.length, 0)
      assert.strictEqual(J.text(set, "metadata", "ownerReferences", 0, "uid"), J.text(made, "metadata", "uid"))
      assert.strictEqual(J.at(set, "metadata", "ownerReferences", 0, "controller"), true)
      const hash = J.text(set, "metadata", "labels", "pod-template-hash") ?? ""
      assert.strictEqual(J.text(set, "metadata", "name"), `web-${hash}`)
      for (const pod of live(yield* ControlPlane.call("GET", paths.pods))) {
        assert.strictEqual(J.text(pod, "metadata", "ownerReferences", 0, "uid"), J.text(set, "metadata", "uid"))
        assert.strictEqual(J.text(pod, "metadata", "annotations", "example.com/original"), "x")
        assert.strictEqual(J.text(pod, "metadata", "labels", "pod-template-hash"), hash)
      }
    }))

  const staged = {
    deployments: { paused: true },
    statefulSets: { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } } },
    daemonSets: { updateStrategy: { type: "OnDelete" } }
  } as const
  for (
    const [kind, of] of [["deployments", "Deployment"], ["statefulSets", "StatefulSet"], [
      "daemonSets",
      "DaemonSet"
    ]] as const
  ) {
    it.effect(`pods of a ${of} tell whether they are of its newest revision`, () =>
      Effect.gen(function*() {
        const paths = Objects.paths(yield* ControlPlane.namespace)
        const image = yield* published(`revision/${kind.toLowerCase()}`)
        const path = `${paths[kind]}/web`
        const newest = Effect.gen(function*() {
          const workload = projectTemplated(kindOf(of))(yield* ControlPlane.call("GET", path))
          const sets = live(yield* ControlPlane.call("GET", paths.replicaSets))
          const pods = live(yield* ControlPlane.call("GET", paths.pods)).flatMap((it) => projectPod(it) ?? [])
          const controlled = sets.flatMap((it) => projectTemplated(kindOf("ReplicaSet"))(it) ?? [])
          return { pods, newest: workload === undefined ? undefined : newestPods(workload, controlled, pods) }
        })
        yield* ControlPlane.call("POST", paths[kind], makers[kind]("web", `${image.repository}:1`))
        yield* rollsOut(kind, path)
        const before = yield* newest
        assert.isNotEmpty(before.pods)
        assert.deepStrictEqual(before.newest, new Set(before.pods))
        // a change that replaces no pod by itself: all are of the revision before
        yield* ControlPlane.call("PATCH", path, { spec: staged[kind] }, Objects.mergePatch)
        yield* setImage(path, `${image.repository}:2`)
        yield* eventually("the change is not seen", ControlPlane.call("GET", path), generationSeen)
        const after = yield* newest
        assert.deepStrictEqual([after.pods.length, after.newest], [before.pods.length, new Set()])
      }))
  }

  it.effect("going back to an old template takes its ReplicaSet again", () =>
    Effect.gen(function*() {
      const paths = Objects.paths(yield* ControlPlane.namespace)
      const image = yield* published("back")
      const path = `${paths.deployments}/web`
      yield* ControlPlane.call("POST", paths.deployments, Objects.deployment("web", `${image.repository}:1`))
      const settled = rollsOut("deployments", path)
      yield* settled
      for (const tag of ["2", "1"]) {
        yield* setImage(path, `${image.repository}:${tag}`)
        yield* settled
      }
      assert.strictEqual(live(yield* ControlPlane.call("GET", paths.replicaSets)).length, 2)
      const deployment = yield* ControlPlane.call("GET", path)
      assert.strictEqual(J.text(deployment, "metadata", "annotations", "deployment.kubernetes.io/revision"), "3")
    }))

  it.effect("a Deployment whose new pods cannot pull keeps the old ones, and says that it is late", () =>
    Effect.gen(function*() {
      const paths = Objects.paths(yield* ControlPlane.namespace)
      const image = yield* published("late")
      const path = `${paths.deployments}/web`
      const object = Objects.deployment("web", `${image.repository}:1`, { progressDeadlineSeconds: 2 })
      yield* ControlPlane.call("POST", paths.deployments, object)
      yield* rollsOut("deployments", path)
      yield* setImage(path, `${image.repository}:none`)
      const late = yield* eventually(
        "it is not said to be late",
        ControlPlane.call("GET", path),
        (deployment) =>
          J.list(deployment, "status", "conditions").some((it) => J.text(it, "reason") === "ProgressDeadlineExceeded")
      )
      assert.strictEqual(counts(late, "updatedReplicas"), 1)
      const pods = live(yield* ControlPlane.call("GET", paths.pods))
      assert.strictEqual(pods.filter(running).length, 2)
      yield* setImage(path, `${image.repository}:2`)
      yield* rollsOut("deployments", path)
    }))

  it.effect("a StatefulSet waits for its first pod, even with a template that would cure it", () =>
    Effect.gen(function*() {
      const paths = Objects.paths(yield* ControlPlane.namespace)
      const image = yield* published("ordered")
      yield* ControlPlane.call("POST", paths.statefulSets, Objects.statefulSet("db", `${image.repository}:none`))
      const first = ControlPlane.call("GET", `${paths.pods}/db-0`).pipe(Effect.orElseSucceed((): JsonObject => ({})))
      yield* eventually("the pod does not wait", first, (it) => waiting(it) === "ImagePullBackOff")
      yield* setImage(`${paths.statefulSets}/db`, `${image.repository}:1`)
      yield* eventually("the change is not seen", ControlPlane.call("GET", `${paths.statefulSets}/db`), generationSeen)
      yield* Effect.sleep("1 second")
      const stuck = live(yield* ControlPlane.call("GET", paths.pods))
      assert.deepStrictEqual(stuck.map((it) => J.text(it, "spec", "containers", 0, "image")), [
        `${image.repository}:none`
      ])
      yield* ControlPlane.call("DELETE", `${paths.pods}/db-0`)
      yield* rollsOut("statefulSets", `${paths.statefulSets}/db`)
    }))

  it.effect("ReplicationControllers keep their pods, and take a new image for the next ones", () =>
    Effect.gen(function*() {
      const paths = Objects.paths(yield* ControlPlane.namespace)
      const image = yield* published("controller")
      const path = `${paths.replicationControllers}/rc`
      yield* ControlPlane.call(
        "POST",
        paths.replicationControllers,
        Objects.replicationController("rc", `${image.repository}:1`)
      )
      yield* eventually("no pod is ready", ControlPlane.call("GET", path), (it) => counts(it, "readyReplicas") === 1)
      yield* setImage(path, `${image.repository}:2`)
      yield* Effect.sleep("300 millis")
      const [pod] = live(yield* ControlPlane.call("GET", paths.pods))
      assert.strictEqual(J.text(pod, "spec", "containers", 0, "image"), `${image.repository}:1`)
      yield* ControlPlane.call("DELETE", `${paths.pods}/${J.text(pod, "metadata", "name") ?? ""}`)
      yield* eventually(
        "the pods run another image",
        ControlPlane.call("GET", paths.pods),
        (list) => imageIds(list).join(" ") === `${image.repository}@${image.two}`
      )
    }))

  it.effect("a Job's pod runs to its end, and the Job with it", () =>
    Effect.gen(function*() {
      const paths = Objects.paths(yield* ControlPlane.namespace)
      const image = yield* published("job")
      yield* ControlPlane.call("POST", paths.jobs, Objects.job("once", `${image.repository}:1`))
      const done = yield* eventually(
        "the Job is not complete",
        ControlPlane.call("GET", `${paths.jobs}/once`),
        (job) => J.list(job, "status", "conditions").some((it) => J.text(it, "type") === "Complete")
      )
      assert.strictEqual(counts(done, "succeeded"), 1)
      const [pod] = live(yield* ControlPlane.call("GET", paths.pods))
      assert.strictEqual(J.text(pod, "status", "phase"), "Succeeded")
      assert.strictEqual(J.text(pod, "status", "containerStatuses", 0, "state", "terminated", "reason"), "Completed")
    }))

  it.effect("an image that cannot be pulled is ErrImagePull, then ImagePullBackOff, then runs when it is there", () =>
    Effect.gen(function*() {
      const { registry } = yield* TestCluster
      const paths = Objects.paths(yield* ControlPlane.namespace)
      const image = `${registry.host}/comes/late:1`
      yield* ControlPlane.call("POST", paths.pods, Objects.pod("p", image))
      const pod = ControlPlane.call("GET", `${paths.pods}/p`)
      const off = yield* eventually("the pod does not wait", pod, (it) => waiting(it) === "ImagePullBackOff")
      assert.strictEqual(J.text(off, "status", "phase"), "Pending")
      assert.match(
        J.text(off, "status", "containerStatuses", 0, "state", "waiting", "message") ?? "",
        /Back-off pulling image ".*": ErrImagePull: .*not found/
      )
      assert.strictEqual(J.text(off, "status", "containerStatuses", 0, "imageID"), "")
      yield* registry.load("comes/late", SampleImage.image("late"), "1")
      const up = yield* eventually("the pod does not run", pod, running)
      assert.strictEqual(J.at(up, "status", "containerStatuses", 0, "ready"), true)
      const conditions = J.list(up, "status", "conditions").filter((it) => J.text(it, "status") === "True")
      assert.includeMembers(conditions.map((it) => J.text(it, "type")), ["Ready", "ContainersReady", "PodScheduled"])
    }))

  it.effect("the image of a running pod changes in place", () =>
    Effect.gen(function*() {
      const paths = Objects.paths(yield* ControlPlane.namespace)
      const image = yield* published("place")
      const made = yield* ControlPlane.call("POST", paths.pods, Objects.pod("p", `${image.repository}:1`))
      const pod = ControlPlane.call("GET", `${paths.pods}/p`)
      yield* eventually("the pod does not run", pod, running)
      const containers = [{ name: "app", image: `${image.repository}:2` }]
      yield* ControlPlane.call("PATCH", `${paths.pods}/p`, { spec: { containers } }, Objects.strategicPatch)
      const restarted = yield* eventually(
        "the container runs another image",
        pod,
        (it) => J.text(it, "status", "containerStatuses", 0, "imageID") === `${image.repository}@${image.two}`
      )
      assert.strictEqual(J.number(restarted, "status", "containerStatuses", 0, "restartCount"), 1)
      assert.strictEqual(J.text(restarted, "metadata", "uid"), J.text(made, "metadata", "uid"))
    }))

  it.effect("init containers run first, sidecars stay, and image volumes are pulled", () =>
    Effect.gen(function*() {
      const paths = Objects.paths(yield* ControlPlane.namespace)
      const image = yield* published("parts")
      yield* ControlPlane.call(
        "POST",
        paths.pods,
        Objects.pod("p", `${image.repository}:1`, {
          initContainers: [
            { name: "first", image: `${image.repository}:2` },
            { name: "sidecar", image: `${image.repository}:2`, restartPolicy: "Always" }
          ],
          containers: [{
            name: "app",
            image: `${image.repository}:1`,
            volumeMounts: [{ name: "data", mountPath: "/data" }]
          }],
          volumes: [{ name: "data", image: { reference: `${image.repository}:volume` } }]
        })
      )
      const pod = ControlPlane.call("GET", `${paths.pods}/p`)
      const held = yield* eventually("the pod does not wait", pod, (it) => waiting(it) === "ImagePullBackOff")
      const inits = J.list(held, "status", "initContainerStatuses")
      assert.strictEqual(J.text(inits[0], "state", "terminated", "reason"), "Completed")
      assert.strictEqual(J.at(inits[1], "started"), true)
      const { registry } = yield* TestCluster
      yield* registry.load("parts", SampleImage.image("volume"), "volume")
      yield* eventually("the pod does not run", pod, running)
    }))

  it.effect("a private image is pulled with the pull secret of the pod or of its account, and with no other", () =>
    Effect.gen(function*() {
      const registry = yield* Registries.make({
        auth: {
          _tag: "Bearer",
          anonymousPull: false,
          users: [{ name: "node", password: Redacted.make("secret") }]
        }
      })
      yield* registry.load("private", SampleImage.image("private"), "1")
      const image = `${registry.host}/private:1`
      const namespace = yield* ControlPlane.namespace
      const paths = Objects.paths(namespace)
      const auth = Buffer.from("node:secret").toString("base64")
      yield* ControlPlane.call("POST", paths.secrets, {
        metadata: { name: "login" },
        type: "kubernetes.io/dockerconfigjson",
        stringData: { ".dockerconfigjson": JSON.stringify({ auths: { [registry.host]: { auth } } }) }
      })
      yield* ControlPlane.call("POST", paths.pods, Objects.pod("without", image))
      yield* ControlPlane.call(
        "POST",
        paths.pods,
        Objects.pod("with", image, { imagePullSecrets: [{ name: "login" }] })
      )
      yield* eventually("the pod does not run", ControlPlane.call("GET", `${paths.pods}/with`), running)
      const without = yield* eventually(
        "the pod does not wait",
        ControlPlane.call("GET", `${paths.pods}/without`),
        (it) => waiting(it) === "ImagePullBackOff"
      )
      assert.match(
        J.text(without, "status", "containerStatuses", 0, "state", "waiting", "message") ?? "",
        /pull access denied/
      )
      const imagePullSecrets = [{ name: "login" }]
      yield* ControlPlane.call("PATCH", `${paths.serviceAccounts}/default`, { imagePullSecrets }, Objects.mergePatch)
      // Of the account it is taken when the pod is made.
      const other = yield* ControlPlane.call("POST", paths.pods, Objects.pod("account", image))
      assert.deepStrictEqual(J.list(other, "spec", "imagePullSecrets"), imagePullSecrets)
    }))

  it.effect("what the kubelet does is told in Events, in both groups", () =>
    Effect.gen(function*() {
      const namespace = yield* ControlPlane.namespace
      const paths = Objects.paths(namespace)
      const image = yield* published("told")
      yield* ControlPlane.call("POST", paths.pods, Objects.pod("p", `${image.repository}:1`))
      yield* eventually("the pod does not run", ControlPlane.call("GET", `${paths.pods}/p`), running)
      const about = "fieldSelector=involvedObject.name%3Dp,involvedObject.kind%3DPod"
      const reasons = (list: JsonObject) => J.list(list, "items").map((it) => J.text(it, "reason"))
      yield* eventually(
        "not all of it is told",
        ControlPlane.call("GET", `${paths.events}?${about}`),
        (list) => ["Pulling", "Pulled", "Started"].every((reason) => reasons(list).includes(reason))
      )
      const [event] = J.list(
        yield* ControlPlane.call("GET", `/apis/events.k8s.io/v1/namespaces/${namespace}/events`),
        "items"
      )
      assert.strictEqual(J.text(event, "regarding", "kind"), "Pod")
      assert.isString(J.text(event, "note"))
    }))
}
