import { assert, describe, it } from "@effect/vitest"
import { pullNamespaces } from "../../src/access/PullNamespaces.ts"
import { type Settings, settingsOf } from "../../src/settings/Settings.ts"
import { Workloads } from "../../src/store/WorkloadStore.ts"
import { projectAccount, projectNamespace } from "../../src/workload/ProjectSurroundings.ts"
import { type Given, workload } from "../support/Objects.ts"

const storeOf = (
  workloads: ReadonlyArray<Given>,
  { marks = {}, accounts = ["default"] }: {
    readonly marks?: Record<string, object>
    readonly accounts?: ReadonlyArray<string>
  } = {}
) => {
  const store = new Workloads()
  for (const given of workloads) {
    const { namespace = "shop" } = given
    const seen = projectNamespace({ metadata: { name: namespace, uid: `uid-${namespace}`, ...marks[namespace] } })
    if (seen !== undefined) store.putNamespace(seen)
    for (const name of accounts) {
      const account = projectAccount({ metadata: { name, namespace } })
      if (account !== undefined) store.putAccount(account)
    }
    store.putWorkload(workload(given))
  }
  return store
}

const of = (store: Workloads, settings: Partial<Settings> = {}) =>
  pullNamespaces(store, { settings: settingsOf("registry.example.com/copies", settings), ownNamespace: "image-cloner" })
    .map((it) => `${it.name}: ${it.accounts.map((account) => account.key).join(", ")}`)

describe("namespaces that get the pull secret", () => {
  it("are those with workloads that may be rewritten, with the accounts in use", () => {
    const store = storeOf(
      [{ namespace: "web" }, { namespace: "shop" }, { name: "x", podSpec: { serviceAccountName: "robot" } }],
      { accounts: ["default", "robot", "unused"] }
    )
    assert.deepStrictEqual(of(store), ["shop: shop/default, shop/robot", "web: web/default"])
  })

  it("keep accounts alone whose workloads name secrets of their own", () => {
    assert.deepStrictEqual(of(storeOf([{ podSpec: { imagePullSecrets: [{ name: "mine" }] } }])), ["shop: "])
  })

  it("are none that are ignored, opted out, own, terminating or never rewritten", () => {
    assert.deepStrictEqual(of(storeOf([{ namespace: "kube-system" }, { namespace: "image-cloner" }])), [])
    assert.deepStrictEqual(of(storeOf([{}]), { NAMESPACES_TO_IGNORE: ["shop"] }), [])
    assert.deepStrictEqual(of(storeOf([{}]), { NAMESPACES_TO_INCLUDE: ["other"] }), [])
    assert.deepStrictEqual(of(storeOf([{}]), { BACKUP_NAMESPACES: ["shop"] }), [])
    assert.deepStrictEqual(of(storeOf([{}]), { BACKUP_REGISTRY: "registry.shop.svc:5000/copies" }), [])
    for (
      const mark of [
        { labels: { "image-cloner.io/ignore": "true" } },
        { annotations: { "image-cloner.io/rewrite": "never" } },
        { deletionTimestamp: "2026-01-01T00:00:00Z" }
      ]
    ) assert.deepStrictEqual(of(storeOf([{}], { marks: { shop: mark } })), [])
    const never = { metadata: { annotations: { "image-cloner.io/rewrite": "never" } } }
    assert.deepStrictEqual(of(storeOf([never])), [])
  })

  it("are none while nothing is rewritten", () => {
    assert.deepStrictEqual(of(storeOf([{}]), { REWRITE_MODE: "off" }), [])
    assert.deepStrictEqual(of(storeOf([{ kind: "Job" }])), [])
    assert.deepStrictEqual(of(storeOf([{ kind: "Job" }]), { MUTATING_WEBHOOK: "on" }), ["shop: shop/default"])
  })

  it("are none that were not seen", () => {
    const store = new Workloads()
    store.putWorkload(workload({}))
    assert.deepStrictEqual(of(store), [])
  })
})
