import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { decode, settingsOf } from "../../src/settings/Settings.ts"
import { backupNamespaces, servesBackup, serviceNamespaces } from "../../src/workload/ServesBackup.ts"

const any = Schema.String.check(Schema.isPattern(/^[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?$/))
const other = any.check(Schema.makeFilter((it) => it !== "svc"))
// which nothing made by chance would be
const label = Schema.Union([any, Schema.Literal("svc")])
const pod = (of: Schema.Codec<string>) => Schema.Array(of).check(Schema.isMaxLength(1))
const ports = Schema.Literals(["", ":443", ":5000"])

describe("the namespace of a Service", () => {
  it.each<[string, ReadonlyArray<string>]>([
    ["registry.shop.svc", ["shop"]],
    ["registry.shop.svc:5000", ["shop"]],
    ["registry.shop.svc.cluster.local", ["shop"]],
    ["registry.shop.svc.cluster.local:5000", ["shop"]],
    ["registry.shop.svc.k8s.example.com", ["shop"]],
    // of several clusters (KEP-1645): a namespace is the same one in all of them
    ["registry.shop.svc.clusterset.local", ["shop"]],
    ["hub-0.registry.shop.svc", ["shop"]],
    ["hub-0.registry.shop.svc.cluster.local:5000", ["shop"]],
    ["Registry.Shop.SVC:5000", ["shop"]],
    // Services, namespaces and domains may be called so, too
    ["svc.shop.svc", ["shop"]],
    ["registry.svc.svc.cluster.local", ["svc"]],
    ["hub-0.svc.shop.svc.cluster.local", ["shop"]],
    ["a.b.svc.svc", ["b", "svc"]]
  ])("is told by %s", (host, namespaces) => {
    assert.deepStrictEqual(serviceNamespaces(host), namespaces)
  })

  it.each([
    "quay.io",
    "registry.shop",
    "registry:5000",
    "svc",
    "registry.svc",
    "registry.svc.example.com",
    "svc.example.com",
    "a.b.c.d.svc.example.com",
    "registry.shop.svcs.example.com",
    "registry.shop.svc-1",
    "10-0-0-1.shop.pod.cluster.local",
    "10.96.0.10:5000",
    "[2001:db8::1]:5000",
    "localhost",
    // no namespace is called so, and a policy that named one would be refused
    `registry.${"x".repeat(64)}.svc`
  ])("is nothing that %s tells", (host) => {
    assert.deepStrictEqual(serviceNamespaces(host), [])
  })

  it.effect.prop(
    "is told by every name of a Service or of a pod behind it, whatever the cluster's domain",
    { before: pod(label), name: label, namespace: label, domain: Schema.Array(label), port: ports },
    ({ before, domain, name, namespace, port }) =>
      Effect.sync(() => {
        assert.include(serviceNamespaces([...before, name, namespace, "svc", ...domain].join(".") + port), namespace)
      })
  )

  it.effect.prop(
    "is the only one where nothing else in the name is called svc",
    { before: pod(other), name: other, namespace: other, domain: Schema.Array(other), port: ports },
    ({ before, domain, name, namespace, port }) =>
      Effect.sync(() => {
        const host = [...before, name, namespace, "svc", ...domain].join(".") + port
        assert.deepStrictEqual(serviceNamespaces(host), [namespace])
      })
  )

  it.effect.prop(
    "is not told by a host none of whose labels is svc, nor by one of which it is the first or second",
    { labels: Schema.Array(other), before: pod(other), port: ports },
    ({ before, labels, port }) =>
      Effect.sync(() => {
        assert.deepStrictEqual(serviceNamespaces(labels.join(".") + port), [])
        assert.deepStrictEqual(serviceNamespaces([...before, "svc", ...labels].join(".") + port), [])
      })
  )

  it.effect.prop(
    "is never more than a host says, whatever it is",
    { host: Schema.String },
    ({ host }) =>
      Effect.sync(() => {
        for (const namespace of serviceNamespaces(host)) {
          assert.include(host.toLowerCase(), `.${namespace}.svc`)
        }
      })
  )
})

describe("what serves the backup", () => {
  const settings = settingsOf("registry.shop.svc:5000/copies", { BACKUP_NAMESPACES: ["db"] })

  it("is what is listed and what the backup's name tells, and it is said which", () => {
    assert.strictEqual(servesBackup("db", settings), "db is in BACKUP_NAMESPACES")
    assert.strictEqual(servesBackup("shop", settings), "shop serves BACKUP_REGISTRY (registry.shop.svc:5000)")
    assert.isUndefined(servesBackup("web", settings))
    assert.deepStrictEqual(backupNamespaces(settings), ["db", "shop"])
  })

  it("is not told by the prefix, and named once", () => {
    assert.deepStrictEqual(backupNamespaces(settingsOf("registry.example.com/registry.shop.svc/copies")), [])
    assert.deepStrictEqual(
      backupNamespaces(settingsOf("registry.shop.svc/copies", { BACKUP_NAMESPACES: ["shop"] })),
      ["shop"]
    )
  })

  it("is none of an ordinary registry", () => {
    const ordinary = Result.getOrThrow(decode({ BACKUP_REGISTRY: "quay.io/cargaona" }))
    assert.deepStrictEqual(backupNamespaces(ordinary), [])
  })
})
