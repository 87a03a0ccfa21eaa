import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { execFileSync } from "node:child_process"
import { commandsOf, shellWord } from "../../src/web/Commands.ts"
import { holdReasons, skipReasons } from "../../src/workload/Reason.ts"
import { held, skipped } from "../../src/workload/Verdict.ts"
import { rolloutOf } from "../support/ExtraObjects.ts"
import { known } from "./Explained.ts"

const commands = (of: Parameters<typeof known>[0], more: Parameters<typeof known>[1] = {}) =>
  commandsOf(known(of, more)).map((it) => it.command)

describe("the commands that would change a decision", () => {
  it("take a mark back where it stands, as an annotation counts before a label", () => {
    const ignored = { labels: { "image-cloner.io/ignore": "true" } }
    assert.deepStrictEqual(commands({ of: { metadata: ignored } }), [
      "kubectl -n shop annotate deployment/web image-cloner.io/ignore=false --overwrite"
    ])
    const never = { annotations: { "image-cloner.io/rewrite": "never" } }
    assert.deepStrictEqual(commands({ of: { metadata: never } }), [
      "kubectl -n shop annotate deployment/web image-cloner.io/rewrite=patch --overwrite"
    ])
  })

  it("name objects of EXTRA_KINDS with their group, and ask kubectl for no rollout of them", () => {
    const { plan } = known()
    const of = { plan: { ...plan, workload: rolloutOf() } }
    const told = (reason: "contested" | "rolling-out" | "tag-moved") =>
      commands({}, { ...of, verdict: held(reason, "x") })
    assert.strictEqual(told("contested")[0], "kubectl -n shop annotate rollout.argoproj.io/web image-cloner.io/held-")
    for (const reason of ["rolling-out", "tag-moved"] as const) assert.notInclude(told(reason).join(), " rollout ")
  })

  it("undo marks of a restore as restore does", () => {
    const restored = { "image-cloner.io/rewrite": "never", "image-cloner.io/restored": "{}" }
    assert.deepStrictEqual(commands({ of: { metadata: { annotations: restored } } }), [
      "image-cloner restore Deployment/shop/web --undo-marks"
    ])
  })

  it("open the settings where those decide, in the controller's namespace", () => {
    assert.deepStrictEqual(commands({ settings: { DRY_RUN: true } }, { controllerNamespace: "tools" }), [
      "kubectl -n tools edit configmap image-cloner-configuration"
    ])
  })

  it("lead from what is owned to what owns it", () => {
    const { plan } = known({ of: { name: "top" } })
    const told = commands({}, { verdict: skipped("owned", "Deployment top controls it"), owners: [plan.workload] })
    assert.deepStrictEqual(told, ["image-cloner explain Deployment/shop/top"])
  })

  it("never name a namespace or an object without what it is, whatever the reason", () => {
    const reasons = [
      ...Object.keys(holdReasons).map((it) => held(it as keyof typeof holdReasons, "x")), // their own keys
      ...Object.keys(skipReasons).map((it) => skipped(it as keyof typeof skipReasons, "x"))
    ]
    for (const verdict of reasons) {
      for (const it of commands({}, { verdict })) {
        assert.match(it, /^(kubectl -n (shop|image-cloner)|image-cloner (explain|restore)) /)
      }
    }
  })

  it("end for a rewrite with how to prevent it", () => {
    assert.deepStrictEqual(commands({}, { verdict: { _tag: "Rewrite", as: "rollout" } }), [
      "kubectl -n shop annotate deployment/web image-cloner.io/rewrite=never --overwrite"
    ])
  })
})

describe("a word of a command", () => {
  it.prop("is one word to a shell, whatever it is", [Schema.String], ([text]) => {
    // no argument of a program can have a zero in it, nor half of a pair
    const given = text.replaceAll("\0", "").toWellFormed()
    assert.strictEqual(execFileSync("sh", ["-c", `printf %s ${shellWord(given)}`], { encoding: "utf8" }), given)
  }, { arbitrary: { runs: 50 } })
})
