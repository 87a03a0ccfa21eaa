import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { columnsWithin, fitted, shortDigests, wrapped } from "../../src/cli/Fit.ts"
import { type Given, type Looked, report } from "../../src/cli/PlanReport.ts"
import { asNames, asText } from "../../src/cli/PlanTable.ts"
import type { ImageState } from "../../src/image/ImageState.ts"
import { type Settings, settingsOf } from "../../src/settings/Settings.ts"
import { digestOf } from "../support/Objects.ts"
import { storeOf } from "./manifests/Reading.ts"

const backup = "backup.example/copies"

const reported = (text: string, given: Partial<Given> = {}, more: Partial<Settings> = {}) =>
  report(storeOf(text), {
    settings: settingsOf(backup, more),
    ownNamespace: Option.none(),
    now: 0,
    looked: new Map(),
    ...given
  })

const object = (kind: string, name: string, images: ReadonlyArray<string>, more = "") =>
  `apiVersion: ${kind === "Job" ? "batch/v1" : "apps/v1"}
kind: ${kind}
metadata: {name: ${name}, namespace: shop${more}}
spec:
  template:
    spec:
      containers: [${images.map((image, index) => `{name: c${index}, image: ${JSON.stringify(image)}}`).join(", ")}]
`

const helm = ", labels: {app.kubernetes.io/managed-by: Helm}"
const digest = digestOf("a")
const long = `registry.example.org/some-organisation/a-repository-with-a-long-name/and-parts@${digest}`
const mixed = [
  object("Deployment", "a-deployment-with-quite-a-long-name", [long, "nginx:1.27"]),
  object("Deployment", "managed", ["redis:7"], helm),
  object("Job", "once", ["busybox"])
].join("---\n")

const widest = (text: string) => Math.max(...text.split("\n").map((it) => it.length))

describe("the table of a plan", () => {
  it.each([80, 120])("fits a terminal of %d columns, with the copy of every image that gets one", (width) => {
    const text = asText(reported(mixed), { width, wide: false })
    assert.isAtMost(widest(text), width)
    for (const copy of ["redis:7", "busybox:latest", "nginx:1.27"]) {
      assert.include(text, `  to ${backup}/docker.io/library/${copy}\n`)
    }
    for (const word of ["NAMESPACE", "ACTION", "managed-by: Helm", "immutable: the images", "rewrite", "clone"]) {
      assert.include(text, word)
    }
    assert.notInclude(text, digest)
    assert.match(text, /sha256:[0-9a-f]*….*[0-9a-f]{4}\n/)
  })

  it("has a line a row where there is room, digests shortened in the middle, and nothing shortened when wide", () => {
    const short = `sha256:${digest.slice(7, 15)}…${digest.slice(-4)}`
    const text = asText(reported(mixed))
    assert.include(
      text,
      ` ${backup}/registry.example.org/some-organisation/a-repository-with-a-long-name/and-parts@${short}\n`
    )
    assert.include(text, `${backup}/docker.io/library/redis:7 (managed-by: Helm`)
    const wide = asText(reported(mixed), { width: 80, wide: true })
    assert.include(wide, `and-parts@${digest}\n`)
    assert.notInclude(wide, "…")
  })

  it.prop("fits whatever things are called", [
    Schema.Array(Schema.String.check(Schema.isMaxLength(300))),
    Schema.Literals([40, 80, 120])
  ], ([names, width]) => {
    const text = mixed +
      names.map((it) => `---\n${object("Deployment", JSON.stringify(`x${it}`), [it, `a.b/${it}:1`])}`).join("")
    const shown = asText(reported(text), { width, wide: false })
    assert.isAtMost(widest(shown), width)
    // oxlint-disable-next-line no-control-regex -- that there are none is what is asserted
    assert.notMatch(shown, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
  })

  it("names workloads alone, each once, as other commands take them", () => {
    assert.strictEqual(
      asNames(reported(mixed)),
      "Deployment/shop/a-deployment-with-quite-a-long-name\nDeployment/shop/managed\nJob/shop/once"
    )
  })

  it("says where there is nothing", () => {
    assert.match(asText(reported("{}")), /^no workloads\n\nnothing to clone; containers: 0 to rewrite/)
  })
})

describe("a cluster that is done", () => {
  it("has nothing to clone, whatever older revisions name", () => {
    const copy = `${backup}/docker.io/library/nginx:1.27`
    const owner =
      ", uid: u2, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: u1, controller: true}]"
    const result = reported([
      object("Deployment", "web", [copy], ", uid: u1"),
      object("ReplicaSet", "web-1", ["nginx:1.26"], owner)
    ].join("---\n"))
    assert.deepStrictEqual(result.images, [])
    assert.match(asText(result), /\nnothing to clone; containers: 0 to rewrite, .* 1 done, 0 left alone$/)
  })
})

const seen = (bytes: number): Looked & { readonly state: ImageState } => ({
  digest,
  bytes,
  manifests: 1,
  problem: null,
  state: { _tag: "BackedUp", digest, contents: new Set([digest]), verifiedAt: 0 }
})

const lost = (reason: "not-found" | "private"): Looked & { readonly state: ImageState } => ({
  digest: null,
  bytes: null,
  manifests: null,
  problem: `it is ${reason}`,
  state: { _tag: "Failed", reason, message: `it is ${reason}`, retryAt: 0 }
})

describe("a plan that was checked", () => {
  it("has an outcome of its own for each row", () => {
    const looked = new Map([
      ["docker.io/library/nginx:1.27", seen(2048)],
      ["docker.io/library/lost:1", lost("not-found")],
      ["docker.io/library/own:1", lost("private")]
    ])
    const result = reported(object("Deployment", "web", ["nginx:1.27", "lost:1", "own:1"]), { looked })
    assert.deepStrictEqual(
      result.rows.map((it) => [it.container, it.action, it.reason, it.check?.reason, it.check?.bytes]),
      [
        ["c0", "clone", "failed", null, 2048],
        ["c1", "leave", "failed", "not-found", null],
        ["c2", "leave", "private", "private", null]
      ]
    )
    assert.match(result.rows[0]?.detail ?? "", /^it waits for c1: docker\.io\/library\/lost:1: it is not-found/)
    const text = asText(result)
    assert.match(text, /CHECK +WHY/)
    assert.match(text, /c0 +nginx:1\.27 +clone +2 KiB /)
    assert.match(text, /c1 +lost:1 +leave +not-found +failed/)
    assert.match(text, /1 image to clone \(2 KiB, .*\), 2 cannot be; /)
    assert.isAtMost(widest(asText(result, { width: 80, wide: false })), 80)
  })
})

describe("what the controller would refuse", () => {
  const addresses = ["10.0.0.5:5000", "127.0.0.1", "192.168.1.1:80", "169.254.169.254", "[fd00::1]:5000", "[::1]"]
  it.each(addresses)("is not promised: %s", (host) => {
    const result = reported(object("Deployment", "web", [`${host}/x/y:1`, "nginx:1.27"]))
    assert.deepStrictEqual(result.rows.map((it) => [it.action, it.reason]), [["leave", "internal"], ["rewrite", null]])
    assert.include(result.rows[0]?.detail, "PRIVATE_REGISTRIES")
    assert.deepStrictEqual(result.images.map((it) => it.source), ["docker.io/library/nginx:1.27"])
  })

  it.each([{ PRIVATE_REGISTRIES: ["10.0.0.5:5000"] }, { PLAIN_HTTP_REGISTRIES: ["10.0.0.5:5000"] }])(
    "is promised where the settings allow it: %j",
    (settings) => {
      const result = reported(object("Deployment", "web", ["10.0.0.5:5000/x/y:1"]), {}, settings)
      assert.deepStrictEqual(result.rows.map((it) => it.action), ["rewrite"])
    }
  )
})

describe("text that is made to fit", () => {
  it("is shortened in its middle", () => {
    assert.strictEqual(fitted("abcdefghij", 5), "ab…ij")
    assert.strictEqual(fitted("abc", 3), "abc")
    assert.strictEqual(fitted("abc", 1), "…")
    assert.strictEqual(shortDigests(`a@${digest} b`), `a@sha256:${digest.slice(7, 15)}…${digest.slice(-4)} b`)
  })

  it.prop("is broken into lines that fit, and loses no word that fits", [Schema.String, Schema.Literals([10, 40])], ([
    text,
    width
  ]) => {
    const line = text.replaceAll("\n", " ")
    for (const it of wrapped(line, width, "  ").split("\n")) assert.isAtMost(it.length, width)
    const words = line.split(" ").filter((it) => it !== "" && it.length <= width - 2)
    for (const word of words) assert.include(wrapped(line, width, "  "), word)
  })

  it("takes from the widest columns first, and leaves rigid ones", () => {
    assert.deepStrictEqual(columnsWithin([10, 30, 20], 50, new Set()), [10, 20, 20])
    assert.deepStrictEqual(columnsWithin([10, 30, 20], 50, new Set([1])), [10, 30, 10])
    assert.deepStrictEqual(columnsWithin([4, 4], 2, new Set()), [4, 4])
  })
})
