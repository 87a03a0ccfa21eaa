// kube-score on every overlay and on the chart: it finds what docs/operations.md says is left so on purpose, and nothing else.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { stringify } from "yaml"
import type { JsonObject } from "../../sandbox/Json.ts"
import { kustomized, rendered, required } from "../charts/Rendering.ts"
import { run } from "../support/Command.ts"
import { missing, tool } from "./RealTools.ts"

/** None where it scores nothing of what it was given. */
const Scores = Schema.fromJsonString(Schema.NullOr(Schema.Array(Schema.Struct({
  checks: Schema.Array(Schema.Struct({
    check: Schema.Struct({ id: Schema.String }),
    grade: Schema.Int,
    skipped: Schema.Boolean
  }))
}))))

/** Best is 10, a hint 7. */
const almostOk = 7

/** What it finds in objects, each once. */
const findings = Effect.fnUntraced(function*(objects: ReadonlyArray<JsonObject>) {
  const { code, stderr, stdout } = yield* run(
    tool("kube-score"),
    ["score", "--ignore-container-cpu-limit", "--output-format", "json", "-"],
    { env: {}, stdin: objects.map((it) => stringify(it)).join("---\n") }
  )
  // 1: there is something critical
  assert.include([0, 1], code, stderr)
  const scores = yield* Schema.decodeEffect(Scores)(stdout)
  const found = (scores ?? []).flatMap((it) => it.checks).filter((it) => !it.skipped && it.grade < almostOk)
  return [...new Set(found.map((it) => it.check.id))].toSorted()
})

const always = "container-image-pull-policy"
const lone = ["deployment-replicas", "deployment-strategy"]
const expected: Readonly<Record<string, ReadonlyArray<string>>> = {
  admission: [always, ...lone, "pod-networkpolicy"],
  "extra-kinds": [],
  "pull-secret": [],
  ha: [always, "deployment-has-host-podantiaffinity", "pod-networkpolicy"],
  "network-policy": [always, ...lone],
  verify: [always, "pod-networkpolicy"]
}

const overlays = readdirSync(fileURLToPath(new URL("../../manifests/overlays", import.meta.url)))

describe.skipIf(missing !== "")(`kube-score${missing}`, () => {
  it.layer(NodeServices.layer)((it) => {
    it.effect.each(["base", "pull-secret", ...overlays.map((it) => `overlays/${it}`)])(
      "finds in %s what is left so on purpose, and nothing else",
      (folder) =>
        Effect.gen(function*() {
          const name = folder.replace("overlays/", "")
          const known = expected[name] ?? [always, ...lone, "pod-networkpolicy"]
          assert.deepStrictEqual(yield* findings(yield* kustomized(folder)), known.toSorted())
        })
    )

    it.effect("finds nothing else in the chart with all that it has", () =>
      Effect.gen(function*() {
        const egress = [{ ports: [{ port: 443, protocol: "TCP" }] }]
        const objects = yield* rendered({
          ...required,
          highAvailability: { enabled: true },
          networkPolicy: { egress },
          image: { ...required.image, pullPolicy: "Always" }
        })
        assert.deepStrictEqual(yield* findings(objects), ["deployment-has-host-podantiaffinity"])
      }))
  })
})
