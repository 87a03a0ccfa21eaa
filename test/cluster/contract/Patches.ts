// Contract: the patch types, their refusals, dry runs, who changed which field, and what must not change.
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../../sandbox/Json.ts"
import * as J from "../../../sandbox/Json.ts"
import * as ControlPlane from "./ControlPlane.ts"
import { TestCluster } from "./ControlPlane.ts"
import * as Objects from "./Objects.ts"
import { failure } from "./Writes.ts"

const image = "/spec/jobTemplate/spec/template/spec/containers/0/image"

/** A CronJob that nobody but the test writes to. */
const suspended = Effect.fnUntraced(function*() {
  const paths = Objects.paths(yield* ControlPlane.namespace)
  const object = Objects.cronJob("tick", "app:1")
  const made = yield* ControlPlane.call("POST", paths.cronJobs, {
    ...object,
    spec: { ...J.object(object, "spec"), suspend: true }
  })
  return { made, path: `${paths.cronJobs}/tick`, paths }
})

const imageOf = (object: JsonObject) =>
  J.text(object, "spec", "jobTemplate", "spec", "template", "spec", "containers", 0, "image")

/** Managers that hold the field of a container's image, with their operation. */
const imageManagers = (object: JsonObject) =>
  J.list(object, "metadata", "managedFields")
    .filter((it) => JSON.stringify(J.at(it, "fieldsV1") ?? null).includes("\"f:image\""))
    .map((it) => `${J.text(it, "operation")} ${J.text(it, "manager")}`)

export const patches = (it: Vitest.MethodsNonLive<ControlPlane.Needs>) => {
  it.effect("a JSON patch whose tests hold changes the image and who manages it", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const { made, path } = yield* suspended()
      assert.deepStrictEqual(imageManagers(made), ["Update image-cloner"])
      const answer = yield* raw({
        method: "PATCH",
        path: `${path}?fieldManager=somebody`,
        headers: { "content-type": Objects.jsonPatch },
        body: [
          { op: "test", path: "/metadata/uid", value: J.text(made, "metadata", "uid") },
          { op: "test", path: "/metadata/generation", value: 1 },
          { op: "test", path: image, value: "app:1" },
          { op: "replace", path: image, value: "app:2" },
          { op: "add", path: "/metadata/annotations", value: { "example.com/a": "1" } },
          { op: "add", path: "/metadata/annotations/example.com~1c", value: "2" }
        ]
      })
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(imageOf(answer.body), "app:2")
      assert.strictEqual(J.number(answer.body, "metadata", "generation"), 2)
      assert.deepStrictEqual(J.texts(answer.body, "metadata", "annotations"), {
        "example.com/a": "1",
        "example.com/c": "2"
      })
      assert.deepStrictEqual(imageManagers(answer.body), ["Update somebody"])
    }))

  for (
    const [what, operations] of [
      ["a test that does not hold", [{ op: "test", path: image, value: "other" }]],
      ["a path that is not there", [{ op: "replace", path: "/spec/nothing/here", value: 1 }]],
      ["a removal of what is not there", [{ op: "remove", path: "/spec/timeZone" }]],
      ["an element beyond the end", [{
        op: "replace",
        path: "/spec/jobTemplate/spec/template/spec/containers/7",
        value: { name: "x" }
      }]],
      ["an addition below nothing", [{ op: "add", path: "/metadata/annotations/x", value: "1" }]]
    ] as const
  ) {
    it.effect(`a JSON patch with ${what} is 422 without causes, and changes nothing`, () =>
      Effect.gen(function*() {
        const { raw } = yield* TestCluster
        const { made, path } = yield* suspended()
        const answer = yield* raw({
          method: "PATCH",
          path,
          headers: { "content-type": Objects.jsonPatch },
          body: [{ op: "replace", path: "/spec/suspend", value: false }, ...operations]
        })
        assert.deepStrictEqual(failure(answer.body), {
          code: 422,
          reason: "Invalid",
          message: "the server rejected our request due to an error in our request",
          details: {}
        })
        const after = yield* ControlPlane.call("GET", path)
        assert.strictEqual(J.text(after, "metadata", "resourceVersion"), J.text(made, "metadata", "resourceVersion"))
      }))
  }

  it.effect("a JSON patch may replace a key that is not there, and test that it is not", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const { path } = yield* suspended()
      const answer = yield* raw({
        method: "PATCH",
        path,
        headers: { "content-type": Objects.jsonPatch },
        body: [
          { op: "test", path: "/spec/timeZone", value: null },
          { op: "replace", path: "/spec/timeZone", value: "Etc/UTC" }
        ]
      })
      assert.strictEqual(J.text(answer.body, "spec", "timeZone"), "Etc/UTC")
    }))

  it.effect("a patch that makes the object invalid is 422 with causes", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const { path } = yield* suspended()
      const answer = yield* raw({
        method: "PATCH",
        path,
        headers: { "content-type": Objects.jsonPatch },
        body: [{ op: "replace", path: image, value: "" }]
      })
      assert.strictEqual(answer.status, 422)
      assert.deepStrictEqual(J.list(answer.body, "details", "causes").map((cause) => J.text(cause, "field")), [
        "spec.jobTemplate.spec.template.spec.containers[0].image"
      ])
    }))

  it.effect("a merge patch replaces lists and removes what is null", () =>
    Effect.gen(function*() {
      const { path } = yield* suspended()
      const labelled = yield* ControlPlane.call(
        "PATCH",
        path,
        { metadata: { labels: { a: "1", b: "2" } } },
        Objects.mergePatch
      )
      assert.strictEqual(J.number(labelled, "metadata", "generation"), 1)
      const removed = yield* ControlPlane.call("PATCH", path, { metadata: { labels: { a: null } } }, Objects.mergePatch)
      assert.deepStrictEqual(J.texts(removed, "metadata", "labels"), { b: "2" })
      const containers = [{ name: "other", image: "x:1" }]
      const replaced = yield* ControlPlane.call(
        "PATCH",
        path,
        { spec: { jobTemplate: { spec: { template: { spec: { containers } } } } } },
        Objects.mergePatch
      )
      assert.deepStrictEqual(
        J.list(replaced, "spec", "jobTemplate", "spec", "template", "spec", "containers").map((one) =>
          J.text(one, "name")
        ),
        ["other"]
      )
    }))

  it.effect("a strategic merge patch merges containers by name, in the order it says, and deletes", () =>
    Effect.gen(function*() {
      const { path } = yield* suspended()
      const spec = (template: JsonObject) => ({ spec: { jobTemplate: { spec: { template: { spec: template } } } } })
      const names = (object: JsonObject) =>
        J.list(object, "spec", "jobTemplate", "spec", "template", "spec", "containers")
          .map((one) => `${J.text(one, "name")}=${J.text(one, "image")}`)
      const added = yield* ControlPlane.call(
        "PATCH",
        path,
        spec({
          "$setElementOrder/containers": [{ name: "first" }, { name: "app" }],
          containers: [{ name: "first", image: "f:1" }, { name: "app", image: "app:2" }]
        }),
        Objects.strategicPatch
      )
      assert.deepStrictEqual(names(added), ["first=f:1", "app=app:2"])
      const env = yield* ControlPlane.call(
        "PATCH",
        path,
        spec({ containers: [{ name: "app", env: [{ name: "A", value: "1" }, { name: "B", value: "2" }] }] }),
        Objects.strategicPatch
      )
      assert.deepStrictEqual(names(env), ["first=f:1", "app=app:2"])
      const fewer = yield* ControlPlane.call(
        "PATCH",
        path,
        spec({
          containers: [
            { name: "first", $patch: "delete" },
            { name: "app", env: [{ name: "A", $patch: "delete" }, { name: "B", value: "3" }] }
          ]
        }),
        Objects.strategicPatch
      )
      assert.deepStrictEqual(names(fewer), ["app=app:2"])
      assert.deepStrictEqual(
        J.list(fewer, "spec", "jobTemplate", "spec", "template", "spec", "containers", 0, "env"),
        [{ name: "B", value: "3" }]
      )
    }))

  it.effect("a change of nothing is not written", () =>
    Effect.gen(function*() {
      const { made, path } = yield* suspended()
      const same = yield* ControlPlane.call("PATCH", path, { spec: { suspend: true } }, Objects.mergePatch)
      assert.strictEqual(J.text(same, "metadata", "resourceVersion"), J.text(made, "metadata", "resourceVersion"))
    }))

  it.effect("a patch that carries another resourceVersion is a conflict, one with another uid is invalid", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const { path } = yield* suspended()
      for (
        const [metadata, status, reason] of [
          [{ resourceVersion: "1" }, 409, "Conflict"],
          [{ uid: "00000000-0000-4000-8000-000000000000" }, 422, "Invalid"]
        ] as const
      ) {
        const answer = yield* raw({
          method: "PATCH",
          path,
          headers: { "content-type": Objects.mergePatch },
          body: { metadata, spec: { suspend: false } }
        })
        assert.strictEqual(answer.status, status)
        assert.strictEqual(answer.body["reason"], reason)
      }
    }))

  it.effect("an unknown kind of patch is 415", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const { path } = yield* suspended()
      const answer = yield* raw({ method: "PATCH", path, body: {} })
      assert.strictEqual(answer.status, 415)
      assert.strictEqual(answer.body["reason"], "UnsupportedMediaType")
    }))

  it.effect("a dry run does everything but store", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const { made, path, paths } = yield* suspended()
      const patched = yield* raw({
        method: "PATCH",
        path: `${path}?dryRun=All`,
        headers: { "content-type": Objects.mergePatch },
        body: { spec: { suspend: false } }
      })
      assert.strictEqual(J.number(patched.body, "metadata", "generation"), 2)
      assert.strictEqual(
        J.text(patched.body, "metadata", "resourceVersion"),
        J.text(made, "metadata", "resourceVersion")
      )
      const created = yield* raw({
        method: "POST",
        path: `${paths.configMaps}?dryRun=All`,
        body: Objects.configMap("unborn")
      })
      assert.strictEqual(created.status, 201)
      assert.strictEqual(J.text(created.body, "metadata", "resourceVersion"), undefined)
      const refused = yield* raw({ method: "POST", path: `${paths.pods}?dryRun=All`, body: Objects.pod("p", "") })
      assert.strictEqual(refused.status, 422)
      const gone = yield* raw({ method: "DELETE", path: `${path}?dryRun=All` })
      assert.strictEqual(gone.status, 200)
      assert.strictEqual((yield* ControlPlane.call("GET", path))["kind"], "CronJob")
      assert.strictEqual((yield* raw({ method: "GET", path: `${paths.configMaps}/unborn` })).status, 404)
    }))

  const fixed: ReadonlyArray<
    readonly [string, (paths: ReturnType<typeof Objects.paths>) => [string, JsonObject], JsonObject, RegExp]
  > = [
    [
      "a Job's template",
      (paths) => {
        const job = Objects.job("j", "app:1")
        return [paths.jobs, { ...job, spec: { ...J.object(job, "spec"), suspend: true } }]
      },
      { spec: { template: { spec: { containers: [{ name: "app", image: "app:2" }] } } } },
      /Job.batch "j" is invalid: spec.template.spec: Invalid value: .*: field is immutable/s
    ],
    [
      "a Deployment's selector",
      (paths) => [paths.deployments, Objects.deployment("d", "app:1", { paused: true, replicas: 0 })],
      {
        spec: { selector: { matchLabels: { app: "d", more: "x" } }, template: { metadata: { labels: { more: "x" } } } }
      },
      /Deployment.apps "d" is invalid: spec.selector: Invalid value: .*: field is immutable/s
    ],
    [
      "a StatefulSet's service",
      (paths) => [paths.statefulSets, Objects.statefulSet("s", "app:1", 0)],
      { spec: { serviceName: "other" } },
      /StatefulSet.apps "s" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas'/
    ],
    [
      "a Pod, but for its images",
      (paths) => [paths.pods, Objects.pod("p", "app:1", { schedulerName: "nobody" })],
      { spec: { containers: [{ name: "app", command: ["x"] }] } },
      /Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers\[\*\].image`/
    ]
  ]
  for (const [what, build, body, message] of fixed) {
    it.effect(`${what} does not change`, () =>
      Effect.gen(function*() {
        const { raw } = yield* TestCluster
        const [path, object] = build(Objects.paths(yield* ControlPlane.namespace))
        yield* ControlPlane.call("POST", path, object)
        const answer = yield* raw({
          method: "PATCH",
          path: `${path}/${J.text(object, "metadata", "name") ?? ""}`,
          headers: { "content-type": Objects.strategicPatch },
          body
        })
        assert.strictEqual(answer.status, 422)
        assert.match(J.text(answer.body, "message") ?? "", message)
        assert.isAtLeast(J.list(answer.body, "details", "causes").length, 1)
      }))
  }

  it.effect("the image of a Pod's container does change, and counts as a generation", () =>
    Effect.gen(function*() {
      const paths = Objects.paths(yield* ControlPlane.namespace)
      yield* ControlPlane.call("POST", paths.pods, Objects.pod("p", "app:1", { schedulerName: "nobody" }))
      const containers = [{ name: "app", image: "app:2" }]
      const changed = yield* ControlPlane.call(
        "PATCH",
        `${paths.pods}/p`,
        { spec: { containers } },
        Objects.strategicPatch
      )
      assert.strictEqual(J.text(changed, "spec", "containers", 0, "image"), "app:2")
      assert.strictEqual(J.number(changed, "metadata", "generation"), 2)
    }))

  it.effect("an ephemeral container is added through its subresource alone", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const paths = Objects.paths(yield* ControlPlane.namespace)
      yield* ControlPlane.call("POST", paths.pods, Objects.pod("p", "app:1", { schedulerName: "nobody" }))
      const ephemeralContainers = [{ name: "debug", image: "tool:1" }]
      const path = `${paths.pods}/p/ephemeralcontainers`
      const added = yield* ControlPlane.call("PATCH", path, { spec: { ephemeralContainers } }, Objects.strategicPatch)
      assert.strictEqual(J.text(added, "spec", "ephemeralContainers", 0, "image"), "tool:1")
      const changed = yield* raw({
        method: "PATCH",
        path,
        headers: { "content-type": Objects.strategicPatch },
        body: { spec: { ephemeralContainers: [{ name: "debug", image: "tool:2" }] } }
      })
      assert.strictEqual(changed.status, 422)
    }))

  it.effect("spec is not changed through /status, nor status through the object", () =>
    Effect.gen(function*() {
      const { path } = yield* suspended()
      const lastScheduleTime = "2020-01-01T00:00:00Z"
      const body = { spec: { suspend: false }, status: { lastScheduleTime } }
      const status = yield* ControlPlane.call("PATCH", `${path}/status`, body, Objects.mergePatch)
      assert.strictEqual(J.text(status, "status", "lastScheduleTime"), lastScheduleTime)
      assert.strictEqual(J.at(status, "spec", "suspend"), true)
      assert.strictEqual(J.number(status, "metadata", "generation"), 1)
      const main = yield* ControlPlane.call("PATCH", path, { status: { lastScheduleTime: null } }, Objects.mergePatch)
      assert.strictEqual(J.text(main, "status", "lastScheduleTime"), lastScheduleTime)
    }))

  it.effect("the scale of a Deployment is read and written", () =>
    Effect.gen(function*() {
      const paths = Objects.paths(yield* ControlPlane.namespace)
      yield* ControlPlane.call(
        "POST",
        paths.deployments,
        Objects.deployment("d", "app:1", { paused: true, replicas: 0 })
      )
      const path = `${paths.deployments}/d/scale`
      const scaled = yield* ControlPlane.call("PATCH", path, { spec: { replicas: 3 } }, Objects.mergePatch)
      assert.strictEqual(scaled["kind"], "Scale")
      assert.strictEqual(scaled["apiVersion"], "autoscaling/v1")
      assert.strictEqual(J.text(scaled, "status", "selector"), "app=d")
      assert.strictEqual(J.number(yield* ControlPlane.call("GET", `${paths.deployments}/d`), "spec", "replicas"), 3)
    }))
}
