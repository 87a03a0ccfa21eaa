import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { type Action, policyObjects } from "../../src/admission/Policy.ts"
import { parseBackup } from "../../src/image/BackupName.ts"
import { type Settings, settingsOf } from "../../src/settings/Settings.ts"

const made = (registry: string, action: Action = "warn", settings: Partial<Settings> = {}) =>
  policyObjects({
    action,
    backup: Result.getOrThrow(parseBackup(registry, "auto")),
    settings: settingsOf(registry, settings),
    ownNamespace: "image-cloner"
  })

const specOf = (registry: string, settings: Partial<Settings> = {}) => Object(made(registry, "warn", settings)[0]).spec

describe("the policy", () => {
  it("holds what cannot be judged, and does with the rest what it is told", () => {
    for (const [action, word] of [["warn", "Warn"], ["audit", "Audit"], ["deny", "Deny"]] as const) {
      const [policy, binding] = made("backup.example/copies", action)
      assert.strictEqual(Object(policy).spec.failurePolicy, "Fail")
      assert.deepStrictEqual(Object(binding).spec, { policyName: "image-cloner", validationActions: [word] })
    }
  })

  it("asks for the whole prefix, as canonical names have it", () => {
    const prefixOf = (registry: string) => /startsWith\("([^"]+)"\)/.exec(specOf(registry).variables[2].expression)?.[1]
    assert.strictEqual(prefixOf("backup.example/copies"), "backup.example/copies/")
    assert.strictEqual(prefixOf("backup.example:5000/my_team/a__b"), "backup.example:5000/my_team/a__b/")
    assert.strictEqual(prefixOf("[2001:db8::1]:5000/copies"), "[2001:db8::1]:5000/copies/")
    assert.strictEqual(prefixOf("index.docker.io/team"), "docker.io/team/")
    assert.strictEqual(prefixOf("localhost/copies"), "localhost/copies/")
  })

  it("leaves out what the cluster and the backup need to start, and what the settings leave out", () => {
    const expressions = (settings: Partial<Settings>) =>
      specOf("backup.example/copies", settings).matchConstraints.namespaceSelector.matchExpressions
    const label = { key: "validate-backups.image-cloner.io", operator: "NotIn", values: ["disable"] }
    assert.deepStrictEqual(expressions({}), [
      { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system", "kube-proxy", "image-cloner"] },
      label
    ])
    assert.deepStrictEqual(
      expressions({
        NAMESPACES_TO_IGNORE: ["dev", "kube-system"],
        BACKUP_NAMESPACES: ["registry"],
        NAMESPACES_TO_INCLUDE: ["shop"]
      }),
      [
        {
          key: "kubernetes.io/metadata.name",
          operator: "NotIn",
          values: ["kube-system", "kube-proxy", "image-cloner", "dev", "registry"]
        },
        { key: "kubernetes.io/metadata.name", operator: "In", values: ["shop"] },
        label
      ]
    )
  })

  it("leaves out the namespace whose Service the backup is, once", () => {
    const left = (settings: Partial<Settings>) =>
      specOf("hub-0.registry.harbor.svc.cluster.local:5000/copies", settings).matchConstraints.namespaceSelector
        .matchExpressions[0].values
    assert.deepStrictEqual(left({}), ["kube-system", "kube-proxy", "image-cloner", "harbor"])
    assert.deepStrictEqual(left({ BACKUP_NAMESPACES: ["db", "harbor"] }), [
      "kube-system",
      "kube-proxy",
      "image-cloner",
      "db",
      "harbor"
    ])
  })

  it("says what to do in one line, also where the names are too long for the message", () => {
    const [{ message, messageExpression }] = specOf("backup.example/copies").validations
    for (const text of [message, messageExpression]) {
      assert.include(text, "image-cloner plan")
      assert.include(text, "validate-backups.image-cloner.io=disable")
      assert.notInclude(text, "\n")
    }
  })
})
