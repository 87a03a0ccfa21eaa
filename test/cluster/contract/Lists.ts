// Contract: lists with selectors and pages, the other forms objects are served in, and discovery.
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../../sandbox/Json.ts"
import * as J from "../../../sandbox/Json.ts"
import * as ControlPlane from "./ControlPlane.ts"
import { TestCluster } from "./ControlPlane.ts"
import * as Objects from "./Objects.ts"

const names = (list: JsonObject): ReadonlyArray<string> =>
  J.list(list, "items").map((it) => J.text(it, "metadata", "name") ?? "")

const some = Effect.fnUntraced(function*(count: number) {
  const paths = Objects.paths(yield* ControlPlane.namespace)
  for (let index = 0; index < count; index++) {
    const labels = { parity: index % 2 === 0 ? "even" : "odd", group: "listed" }
    yield* ControlPlane.call("POST", paths.configMaps, Objects.configMap(`c${index}`, labels))
  }
  return { path: paths.configMaps, paths }
})
const own = "labelSelector=group%3Dlisted"

export const lists = (it: Vitest.MethodsNonLive<ControlPlane.Needs>) => {
  it.effect("a list says its kind once, and its items do not", () =>
    Effect.gen(function*() {
      const { path } = yield* some(1)
      const list = yield* ControlPlane.call("GET", `${path}?${own}`)
      assert.strictEqual(list["kind"], "ConfigMapList")
      assert.strictEqual(list["apiVersion"], "v1")
      assert.match(J.text(list, "metadata", "resourceVersion") ?? "", /^[1-9][0-9]*$/)
      assert.deepStrictEqual(Object.keys(J.object(list, "items", 0)).toSorted(), ["data", "metadata"])
    }))

  for (
    const [selector, expected] of [
      ["parity=even", ["c0", "c2"]],
      ["parity==odd", ["c1", "c3"]],
      ["parity!=odd,group", ["c0", "c2"]],
      ["parity in (odd,none)", ["c1", "c3"]],
      ["parity notin (odd),group=listed", ["c0", "c2"]],
      ["!parity,group", []]
    ] as const
  ) {
    it.effect(`labels are selected by ${selector}`, () =>
      Effect.gen(function*() {
        const { path } = yield* some(4)
        const list = yield* ControlPlane.call("GET", `${path}?labelSelector=${encodeURIComponent(selector)}`)
        assert.deepStrictEqual(names(list), [...expected])
      }))
  }

  it.effect("fields are selected, and those that are not supported refused", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const { path, paths } = yield* some(2)
      const one = yield* ControlPlane.call("GET", `${path}?fieldSelector=metadata.name%3Dc1`)
      assert.deepStrictEqual(names(one), ["c1"])
      yield* ControlPlane.call("POST", paths.pods, Objects.pod("p", "app:1", { schedulerName: "nobody" }))
      const pending = "fieldSelector=status.phase!%3DRunning,spec.nodeName%3D,metadata.namespace!%3Dkube-system"
      assert.deepStrictEqual(names(yield* ControlPlane.call("GET", `${paths.pods}?${pending}`)), ["p"])
      const answer = yield* raw({ method: "GET", path: `${path}?fieldSelector=data.key%3Dvalue` })
      assert.strictEqual(answer.status, 400)
      assert.match(J.text(answer.body, "message") ?? "", /"data.key" is not a known field selector/)
      const pods = yield* raw({ method: "GET", path: `${paths.pods}?fieldSelector=spec.x%3Dy` })
      assert.strictEqual(pods.status, 400)
      assert.match(J.text(pods.body, "message") ?? "", /field label not supported: spec.x/)
    }))

  it.effect("pages hang together: the version of the first, whatever is written meanwhile", () =>
    Effect.gen(function*() {
      const { path } = yield* some(5)
      const first = yield* ControlPlane.call("GET", `${path}?limit=2&fieldSelector=metadata.name!%3Dkube-root-ca.crt`)
      assert.deepStrictEqual(names(first), ["c0", "c1"])
      const version = J.text(first, "metadata", "resourceVersion")
      yield* ControlPlane.call("DELETE", `${path}/c3`)
      yield* ControlPlane.call("POST", path, Objects.configMap("c9"))
      const seen: Array<string> = [...names(first)]
      let token = J.text(first, "metadata", "continue") ?? ""
      while (token !== "") {
        const query = `limit=2&fieldSelector=metadata.name!%3Dkube-root-ca.crt&continue=${encodeURIComponent(token)}`
        const page: JsonObject = yield* ControlPlane.call("GET", `${path}?${query}`)
        assert.strictEqual(J.text(page, "metadata", "resourceVersion"), version)
        seen.push(...names(page))
        token = J.text(page, "metadata", "continue") ?? ""
      }
      assert.deepStrictEqual(seen, ["c0", "c1", "c2", "c3", "c4"])
    }))

  for (
    const [query, status, message] of [
      ["resourceVersionMatch=Exact", 422, /resourceVersionMatch is forbidden unless resourceVersion is provided/],
      [
        "resourceVersion=0&resourceVersionMatch=Exact",
        422,
        /resourceVersionMatch "exact" is forbidden for resourceVersion "0"/
      ],
      ["resourceVersion=x", 400, /./],
      ["continue=x", 400, /continue key is not valid/],
      ["labelSelector=a%3D%3D%3Db", 400, /unable to parse requirement/]
    ] as const
  ) {
    it.effect(`?${query} is refused with ${status}`, () =>
      Effect.gen(function*() {
        const { raw } = yield* TestCluster
        const answer = yield* raw({ method: "GET", path: `/api/v1/configmaps?${query}` })
        assert.strictEqual(answer.status, status)
        assert.match(J.text(answer.body, "message") ?? "", message)
      }))
  }

  it.effect("a version that is not there yet is a time-out", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const answer = yield* raw({
        method: "GET",
        path: "/api/v1/configmaps?resourceVersion=99999999&resourceVersionMatch=NotOlderThan"
      })
      assert.strictEqual(answer.status, 504)
      assert.strictEqual(answer.body["reason"], "Timeout")
      assert.strictEqual(J.text(answer.body, "details", "causes", 0, "reason"), "ResourceVersionTooLarge")
    }))

  it.effect("metadata alone is served to who asks for it", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const { path } = yield* some(1)
      const list = yield* raw({
        method: "GET",
        path: `${path}?${own}`,
        headers: { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io" }
      })
      assert.strictEqual(list.body["kind"], "PartialObjectMetadataList")
      assert.deepStrictEqual(
        Object.keys(J.object(list.body, "items", 0)).toSorted(),
        ["apiVersion", "kind", "metadata"]
      )
    }))

  for (
    const kind of [
      "pods",
      "deployments",
      "replicaSets",
      "daemonSets",
      "statefulSets",
      "jobs",
      "cronJobs",
      "secrets"
    ] as const
  ) {
    it.effect(`the table of ${kind} has these columns`, () =>
      Effect.gen(function*() {
        const { raw } = yield* TestCluster
        const path = Objects.paths("default")[kind]
        const table = yield* raw({
          method: "GET",
          path,
          headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" }
        })
        const expected = {
          pods: "Name Ready Status Restarts Age IP* Node* Nominated Node* Readiness Gates*",
          deployments: "Name Ready Up-to-date Available Age Containers* Images* Selector*",
          replicaSets: "Name Desired Current Ready Age Containers* Images* Selector*",
          daemonSets: "Name Desired Current Ready Up-to-date Available Node Selector Age Containers* Images* Selector*",
          statefulSets: "Name Ready Age Containers* Images*",
          jobs: "Name Status Completions Duration Age Containers* Images* Selector*",
          cronJobs: "Name Schedule Timezone Suspend Active Last Schedule Age Containers* Images* Selector*",
          secrets: "Name Type Data Age"
        }
        const columns = J.list(table.body, "columnDefinitions")
          .map((column) => `${J.text(column, "name")}${J.number(column, "priority") === 1 ? "*" : ""}`)
        assert.strictEqual(columns.join(" "), expected[kind])
      }))
  }

  it.effect("what it serves can be discovered, both ways", () =>
    Effect.gen(function*() {
      const { raw } = yield* TestCluster
      const aggregated = yield* raw({
        method: "GET",
        path: "/apis",
        headers: { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" }
      })
      assert.strictEqual(aggregated.body["kind"], "APIGroupDiscoveryList")
      const apps = J.list(aggregated.body, "items").find((group) => J.text(group, "metadata", "name") === "apps")
      const known = J.list(apps, "versions", 0, "resources").map((one) => J.text(one, "resource"))
      assert.includeMembers(known, ["deployments", "daemonsets", "statefulsets", "replicasets"])
      const plain = yield* raw({ method: "GET", path: "/apis/apps/v1" })
      assert.strictEqual(plain.body["kind"], "APIResourceList")
      const deployment = J.list(plain.body, "resources").find((one) => J.text(one, "name") === "deployments")
      assert.strictEqual(J.text(deployment, "kind"), "Deployment")
      assert.strictEqual(J.at(deployment, "namespaced"), true)
      const version = yield* raw({ method: "GET", path: "/version" })
      assert.strictEqual(J.text(version.body, "major"), "1")
    }))
}
