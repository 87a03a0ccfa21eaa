import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { applyPatch } from "rfc6902"
import { lineToAdd, withoutSecret, withSecret } from "../../src/access/AccountList.ts"
import { projectAccount } from "../../src/workload/ProjectSurroundings.ts"
import type { Account } from "../../src/workload/Workload.ts"

/** An account as the API server has it; no list where it has none. */
const object = (names: ReadonlyArray<string>, managers: ReadonlyArray<string> = []) => ({
  metadata: {
    name: "default",
    namespace: "shop",
    managedFields: managers.map((manager) => ({
      manager,
      operation: "Update",
      fieldsV1: { "f:imagePullSecrets": {} }
    }))
  },
  ...(names.length === 0 ? {} : { imagePullSecrets: names.map((name) => ({ name })) })
})

const accountOf = (it: unknown): Account => projectAccount(it) ?? assert.fail("it is no account")

/** The API server's library takes a name that is not there for null; this one does not. */
const apply = (it: ReturnType<typeof object>, patch: ReturnType<typeof withSecret>) => {
  const changed = structuredClone(it)
  const operations = patch.filter((op) => !(op.op === "test" && op.value === null))
  const problems = applyPatch(changed, structuredClone(operations) as Parameters<typeof applyPatch>[1]) // operations of RFC 6902
  assert.deepStrictEqual(problems.filter((problem) => problem !== null), [])
  return changed
}

const names = Schema.UniqueArray(Schema.String.check(Schema.isPattern(/^[a-z]{1,3}$/)))

describe("the list of pull secrets of a ServiceAccount", () => {
  it.effect.prop(
    "keeps what others have put there, in order, and needs no second pass",
    [names],
    ([others]) =>
      Effect.sync(() => {
        const before = object(others)
        const after = apply(before, withSecret(accountOf(before), "ours-of-the-backup"))
        assert.deepStrictEqual(accountOf(after).pullSecrets, [...others, "ours-of-the-backup"])
        assert.deepStrictEqual(withSecret(accountOf(after), "ours-of-the-backup"), [])
        // and taken away again, it is what it was
        const undone = apply(after, withoutSecret(accountOf(after), "ours-of-the-backup"))
        assert.deepStrictEqual(undone, before)
        assert.deepStrictEqual(withoutSecret(accountOf(undone), "ours-of-the-backup"), [])
      })
  )

  it("is left to the field manager that holds it, who is told the line to add", () => {
    const account = accountOf(object(["other"], ["image-cloner", "argocd-controller"]))
    assert.strictEqual(account.listHolder, "argocd-controller")
    assert.deepStrictEqual(withSecret(account, "ours"), [])
    assert.deepStrictEqual(withoutSecret(account, "other"), [])
    assert.strictEqual(
      lineToAdd(account, "ours"),
      "add \"- name: ours\" to imagePullSecrets in what \"argocd-controller\" applies"
    )
    assert.isUndefined(lineToAdd(account, "other"))
  })

  it("is ours to change where we hold it, or nobody", () => {
    for (const managers of [[], ["image-cloner"]]) {
      const account = accountOf(object(["other"], managers))
      assert.isUndefined(account.listHolder)
      assert.isUndefined(lineToAdd(account, "ours"))
      assert.lengthOf(withSecret(account, "ours"), 2)
    }
  })

  it("is changed only as it was seen", () => {
    const seen = accountOf(object(["a"]))
    const now = object(["a", "b"])
    const operations = withSecret(seen, "ours") as Parameters<typeof applyPatch>[1] // as above
    assert.isTrue(applyPatch(now, operations).some((problem) => problem !== null))
  })
})
