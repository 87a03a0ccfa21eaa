import { assert, describe, it } from "@effect/vitest"
import { kindNamed, kinds } from "../../src/workload/Kinds.ts"

describe("a kind that a person names", () => {
  it("may be its name, its plural, or kubectl's short name, with its group or without", () => {
    for (const { apiVersion, kind, resource } of kinds) {
      const group = apiVersion.includes("/") ? `.${apiVersion.split("/")[0]}` : ""
      for (const word of [kind, resource, `${resource}${group}`, resource.toUpperCase()]) {
        assert.strictEqual(kindNamed(word)?.kind, kind, word)
      }
    }
    assert.deepStrictEqual(["deploy", "ds", "sts", "rs", "rc", "cj", "po"].map((it) => kindNamed(it)?.kind), [
      "Deployment",
      "DaemonSet",
      "StatefulSet",
      "ReplicaSet",
      "ReplicationController",
      "CronJob",
      "Pod"
    ])
  })

  it("is none of another group, nor another word", () => {
    for (const word of ["", "service", "deployments.example.com", "deploy.", "jobs.apps", "toString"]) {
      assert.isUndefined(kindNamed(word), word)
    }
  })
})
