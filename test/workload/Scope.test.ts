import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { kinds } from "../../src/workload/Kinds.ts"
import { extrasIn, isInScope, isNamed, namespacesOf, parseKey } from "../../src/workload/Scope.ts"
import { rollout } from "../support/ExtraObjects.ts"
import { workload } from "../support/Objects.ts"

const word = Schema.String.check(Schema.isPattern(/^[a-z0-9]{1,8}$/))
const Kind = Schema.Literals(kinds.map((it) => it.kind))

describe("the workloads that a person names", () => {
  it.prop("are named by kind or resource, in any case", [Kind, word, word], ([kind, namespace, name]) => {
    const resource = kinds.find((it) => it.kind === kind)?.resource ?? ""
    for (const text of [kind, kind.toLowerCase(), kind.toUpperCase(), resource]) {
      assert.deepStrictEqual(parseKey(`${text}/${namespace}/${name}`), Result.succeed(`${kind}/${namespace}/${name}`))
    }
  })

  it.prop("are none of any other text, and the answer names the text", [Schema.String], ([text]) => {
    const key = parseKey(text)
    if (Result.isSuccess(key)) assert.strictEqual(key.success.split("/").length, 3)
    else assert.include(key.failure, JSON.stringify(text))
  })

  it("are asked for in three parts", () => {
    for (
      const text of ["web", "shop/web", "Deployment/shop/", "Deployment//web", "Deployment/shop/web/x", "Service/a/b"]
    ) {
      assert.isTrue(Result.isFailure(parseKey(text)), text)
    }
  })

  it("are of EXTRA_KINDS where their kind has a group, and are then named as `plan` names them", () => {
    assert.deepStrictEqual(parseKey("Rollout.argoproj.io/shop/web"), Result.succeed("Rollout.argoproj.io/shop/web"))
    assert.deepStrictEqual(parseKey("Deployment.apps/shop/web"), Result.succeed("Deployment/shop/web"))
    assert.include(Result.getOrThrow(Result.flip(parseKey("Rollout/shop/web"))), "such as Rollout.argoproj.io")
    assert.isTrue(Result.isFailure(parseKey("Rollout.argoproj.io/shop")))
  })

  it("name the kinds of EXTRA_KINDS that have to be seen for them", () => {
    const named = (key: string) => ({ _tag: "Named", keys: new Set([key]) }) as const
    assert.deepStrictEqual(extrasIn(named("Deployment/shop/web"), [rollout]), [])
    assert.deepStrictEqual(extrasIn(named("Rollout.argoproj.io/shop/web"), [rollout]), [rollout])
    assert.deepStrictEqual(extrasIn({ _tag: "All" }, [rollout]), [rollout])
    assert.deepStrictEqual(extrasIn({ _tag: "Namespaces", names: new Set(["shop"]) }, [rollout]), [rollout])
  })

  it("have what they control with them, and nothing else", () => {
    const web = workload()
    const other = workload({ name: "other" })
    const named = { _tag: "Named", keys: new Set([web.key]) } as const
    assert.isTrue(isInScope(named, web, []))
    assert.isTrue(isInScope(named, other, [web]))
    assert.isFalse(isInScope(named, other, []))
    assert.isTrue(isNamed(named, web.key))
    assert.isFalse(isNamed({ _tag: "All" }, web.key))
    const namespaces = { _tag: "Namespaces", names: new Set(["shop"]) } as const
    assert.isTrue(isInScope(namespaces, web, []))
    assert.isFalse(isInScope(namespaces, workload({ namespace: "else" }), []))
    assert.isTrue(isInScope({ _tag: "All" }, web, []))
  })

  it("are looked for in their namespaces alone", () => {
    assert.isUndefined(namespacesOf({ _tag: "All" }))
    assert.deepStrictEqual(namespacesOf({ _tag: "Namespaces", names: new Set(["a", "b"]) }), ["a", "b"])
    const keys = new Set(["Deployment/a/x", "CronJob/a/y", "Deployment/b/x"])
    assert.deepStrictEqual(namespacesOf({ _tag: "Named", keys }), ["a", "b"])
  })
})
