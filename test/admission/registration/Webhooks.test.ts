import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { applyPatch } from "rfc6902"
import {
  changed,
  difference,
  encodeBundle,
  type FoundConfiguration,
  mutatingConfiguration,
  mutatingWebhook,
  ourWebhook,
  validatingConfiguration,
  validatingWebhook,
  type Webhook
} from "../../../src/admission/registration/Webhooks.ts"
import { withToken } from "../../../src/admission/PathTokens.ts"
import type { Operation } from "../../../src/workload/Patch.ts"

const target = { ownNamespace: "image-cloner", url: undefined, bundle: "-----BEGIN CERTIFICATE-----\nä\n" }
const kinds = [
  [mutatingConfiguration, mutatingWebhook] as const,
  [validatingConfiguration, validatingWebhook] as const
] as const

/** Applies a patch as the API server does: all of it or nothing. */
const apply = (found: FoundConfiguration, operations: ReadonlyArray<Operation>): FoundConfiguration => {
  const copy = structuredClone(found)
  // the library changes what it is given, values of the patch included
  const errors = applyPatch(copy, structuredClone(operations).map((it) => ({ ...it }))).filter((it) => it !== null)
  assert.deepStrictEqual(errors, [])
  return copy
}

const found = (webhooks?: ReadonlyArray<Record<string, unknown>>): FoundConfiguration => ({
  metadata: { resourceVersion: "7" },
  ...(webhooks === undefined ? {} : { webhooks })
})

/** What the API server fills in (kubernetes/pkg/apis/admissionregistration/v1/defaults.go), in an order of its own. */
const defaulted = (webhook: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries({
      failurePolicy: "Fail",
      matchPolicy: "Equivalent",
      namespaceSelector: {},
      objectSelector: {},
      timeoutSeconds: 10,
      reinvocationPolicy: "Never",
      aFieldOfALaterVersion: { a: 1 },
      ...webhook
    }).toReversed()
  )

const Name = Schema.Literals([
  "pods.mutate.image-cloner.io",
  "pods.validate.image-cloner.io",
  "a.example.com",
  "b.example.com",
  "c.example.com"
])
const Entry = Schema.Struct({
  name: Name,
  timeoutSeconds: Schema.Literals([5, 10]),
  failurePolicy: Schema.Literals(["Fail", "Ignore"]),
  rest: Schema.Literals(["nothing", "ours", "oursDefaulted"])
})

describe("the difference", () => {
  it.effect.prop(
    "makes any configuration say what is wanted of us, leaves the others' alone, and is empty then",
    {
      entries: Schema.Array(Entry),
      shape: Schema.Literals(["absent", "null", "list"]),
      mutating: Schema.Boolean,
      on: Schema.Boolean,
      url: Schema.Literals(["", "https://here.example:9443/base/"])
    },
    ({ entries, mutating, on, shape, url }) =>
      Effect.sync(() => {
        const [configuration, make] = mutating ? kinds[0] : kinds[1]
        const desired = on ? make({ ...target, url: url === "" ? undefined : url }) : undefined
        const ours = make(target)
        const list = entries.map(({ rest, ...entry }) => ({
          ...(rest === "nothing" ? {} : rest === "ours" ? ours : defaulted(ours)),
          ...entry
        }))
        const before: FoundConfiguration = shape === "list"
          ? found(list)
          : { ...found(), ...(shape === "null" ? { webhooks: null } : {}) }
        const after = apply(before, difference(configuration, before, desired))
        const others = (it: FoundConfiguration) =>
          (it.webhooks ?? []).filter((webhook) => webhook["name"] !== configuration.webhook)
        assert.deepStrictEqual(others(after), others(before))
        const now = (after.webhooks ?? []).filter((it) => it["name"] === configuration.webhook)
        assert.strictEqual(now.length, on ? 1 : 0)
        for (const [key, value] of Object.entries(desired ?? {})) assert.deepStrictEqual(now[0]?.[key], value)
        assert.deepStrictEqual(difference(configuration, after, desired), [])
        const stored = { ...after, webhooks: (after.webhooks ?? []).map((it) => defaulted(it)) }
        assert.deepStrictEqual(difference(configuration, stored, desired), [])
      }),
    { arbitrary: { runs: 300 } }
  )

  it("holds for the object that was read and no other", () => {
    const operations = difference(mutatingConfiguration, found(), mutatingWebhook(target))
    assert.deepStrictEqual(operations[0], { op: "test", path: "/metadata/resourceVersion", value: "7" })
    assert.strictEqual(operations.length, 2)
  })

  const drifts: ReadonlyArray<readonly [string, (it: Webhook) => Record<string, unknown>]> = [
    ["another authority", (it) => ({ ...it, clientConfig: { ...Object(it["clientConfig"]), caBundle: "AAAA" } })],
    ["no authority", (it) => ({ ...it, clientConfig: { ...Object(it["clientConfig"]), caBundle: undefined } })],
    ["a failure that stops pods", (it) => ({ ...it, failurePolicy: "Fail" })],
    ["kube-system asked about", (it) => ({ ...it, namespaceSelector: {} })],
    ["a selector of namespaces that says more", (it) => ({
      ...it,
      namespaceSelector: { ...Object(it["namespaceSelector"]), matchLabels: { team: "a" } }
    })],
    ["a selector of pods that says more", (it) => ({ ...it, objectSelector: { matchLabels: { a: "b" } } })],
    ["a rule less", (it) => ({ ...it, rules: [] })],
    ["another time-out", (it) => ({ ...it, timeoutSeconds: 30 })]
  ]
  for (const [what, drift] of drifts) {
    it(`repairs ${what}`, () => {
      for (const [configuration, make] of kinds) {
        const before = found([drift(make(target))])
        const after = apply(before, difference(configuration, before, make(target)))
        assert.deepStrictEqual(ourWebhook(configuration, after), make(target))
      }
    })
  }

  it("keeps conditions that an administrator added, also where something else is repaired", () => {
    const matchConditions = [{ name: "not-ours", expression: "true" }]
    const wanted = mutatingWebhook(target)
    assert.deepStrictEqual(difference(mutatingConfiguration, found([{ ...wanted, matchConditions }]), wanted), [])
    const before = found([{ ...wanted, matchConditions, timeoutSeconds: 9 }])
    const after = apply(before, difference(mutatingConfiguration, before, wanted))
    assert.deepStrictEqual(after.webhooks, [{ ...wanted, matchConditions }])
  })

  const enforced: ReadonlyArray<readonly [string, (names: ReadonlyArray<string>) => ReadonlyArray<unknown>]> = [
    ["AKS", (names) => [
      { key: "control-plane", operator: "NotIn", values: ["true"] },
      { key: "kubernetes.io/metadata.name", operator: "NotIn", values: names },
      { key: "kubernetes.azure.com/managedby", operator: "NotIn", values: ["aks"] }
    ]],
    ["older AKS", (names) => [
      { key: "kubernetes.io/metadata.name", operator: "NotIn", values: names },
      { key: "control-plane", operator: "DoesNotExist" }
    ]],
    ["GKE Autopilot", (names) => [
      { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["gke-gmp-system", ...names, "gke-managed-cim"] }
    ]]
  ]
  for (const [platform, add] of enforced) {
    it(`leaves what ${platform} excludes more, also where a new authority is filled in`, () => {
      for (const [configuration, make] of kinds) {
        const wanted = make(target)
        const matchExpressions = add(["kube-system", "kube-proxy", "image-cloner"])
        const webhook = { ...wanted, namespaceSelector: { matchExpressions } }
        assert.deepStrictEqual(difference(configuration, found([webhook]), wanted), [])
        const next = make({ ...target, bundle: "another" })
        const after = apply(found([webhook]), difference(configuration, found([webhook]), next))
        assert.deepStrictEqual(after.webhooks, [{ ...next, namespaceSelector: { matchExpressions } }])
      }
    })
  }

  it("is told in words", () => {
    const wanted = mutatingWebhook(target)
    const words = (webhooks: ReadonlyArray<Record<string, unknown>>, desired: Webhook | undefined) =>
      changed(mutatingConfiguration, found(webhooks), desired).join(", ")
    assert.strictEqual(
      words([{ ...wanted, namespaceSelector: {}, failurePolicy: "Fail" }], wanted),
      "failurePolicy, namespaceSelector"
    )
    assert.strictEqual(words([{ name: "theirs" }], wanted), "pods.mutate.image-cloner.io is missing")
    assert.strictEqual(words([wanted, wanted], wanted), "pods.mutate.image-cloner.io is there twice")
    assert.strictEqual(words([wanted], undefined), "pods.mutate.image-cloner.io is there again")
  })

  it("moves from the Service to a URL whole, for the API server refuses both", () => {
    const before = found([mutatingWebhook(target)])
    const desired = mutatingWebhook({ ...target, url: "https://[2001:db8::1]:9443" })
    const after = apply(before, difference(mutatingConfiguration, before, desired))
    assert.deepStrictEqual(ourWebhook(mutatingConfiguration, after)?.["clientConfig"], {
      url: `https://[2001:db8::1]:9443${withToken("/mutate/v1/pods", target.bundle)}`,
      caBundle: encodeBundle(target.bundle)
    })
  })
})

describe("what is desired", () => {
  it("never stops a pod, and never asks about what keeps the cluster and us alive", () => {
    for (const [, make] of kinds) {
      const webhook = make(target)
      assert.strictEqual(webhook["failurePolicy"], "Ignore")
      assert.strictEqual(webhook["timeoutSeconds"], 5)
      assert.deepStrictEqual(webhook["namespaceSelector"], {
        matchExpressions: [{
          key: "kubernetes.io/metadata.name",
          operator: "NotIn",
          values: ["kube-system", "kube-proxy", "image-cloner"]
        }]
      })
      assert.deepStrictEqual(make({ ...target, ownNamespace: "kube-system" })["namespaceSelector"], {
        matchExpressions: [{
          key: "kubernetes.io/metadata.name",
          operator: "NotIn",
          values: ["kube-system", "kube-proxy"]
        }]
      })
    }
  })

  it("names subresources one by one: `pods` does not match them, and `pods/*` is too much", () => {
    const rules = (webhook: Webhook) =>
      [webhook["rules"]].flat().map((it) => {
        const { operations, resources } = Object(it)
        return `${resources} ${operations}`
      })
    assert.deepStrictEqual(rules(mutatingWebhook(target)), ["pods CREATE", "pods/ephemeralcontainers UPDATE"])
    assert.deepStrictEqual(rules(validatingWebhook(target)), ["pods CREATE,UPDATE", "pods/ephemeralcontainers UPDATE"])
  })

  it("lets a label opt a pod out of the rewriting, and not out of the validation", () => {
    assert.deepStrictEqual(mutatingWebhook(target)["objectSelector"], {
      matchExpressions: [{ key: "image-cloner.io/ignore", operator: "NotIn", values: ["true"] }]
    })
    assert.deepStrictEqual(validatingWebhook(target)["objectSelector"], {})
  })

  it("says the authorities as the API has bytes", () => {
    assert.strictEqual(Buffer.from(encodeBundle(target.bundle), "base64").toString(), target.bundle)
  })
})
