// The documentation says what the program does: generated pages are current, and what is named by hand is there.
import { assert, describe, it } from "@effect/vitest"
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { fileURLToPath } from "node:url"
import { parse } from "yaml"
import { processKeys } from "../../src/settings/ProcessSettings.ts"
import { keys } from "../../src/settings/Settings.ts"
import { clones, reasons } from "../../src/telemetry/Metrics.ts"
import { advice } from "../../src/workload/ReasonAdvice.ts"
import { fieldManagers, marks } from "../../src/workload/KnownOwners.ts"
import { holdReasons, skipReasons } from "../../src/workload/Reason.ts"
import { leftReasons } from "../../src/workload/Restore.ts"
import { metricNames, pages } from "../../tools/documentation.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const read = (name: string): string => readFileSync(join(root, name), "utf8")
const all = globSync("{*.md,docs/**/*.md,charts/*/*.md,bench/*.md,test/*/*.md}", { cwd: root })
const operations = read("docs/operations.md")

/** The first cells, in backticks, of the tables in a section of a page. */
const firstCells = (page: string, heading: string): ReadonlyArray<string> => {
  const from = page.indexOf(`\n## ${heading}\n`)
  const section = page.slice(from, page.indexOf("\n## ", from + 1))
  return [...section.matchAll(/^\| `([a-z-]+)` +\|/gm)].map((it) => it[1] ?? "")
}

const sorted = (texts: Iterable<string>): ReadonlyArray<string> => [...texts].toSorted()

describe("the documentation", () => {
  it.each([...pages().keys()])("has %s as its source says", (name) => {
    assert.strictEqual(read(name), pages().get(name), "run `npm run docs`")
  })

  it("explains every reason for which something is not done, and no other", () => {
    const known = [...Object.keys(skipReasons), ...Object.keys(holdReasons)]
    assert.deepStrictEqual(sorted(firstCells(operations, "Why something is not done")), sorted(known))
    assert.deepStrictEqual(sorted(reasons), sorted(known))
  })

  it("advises about each of them what `explain` advises", () => {
    const from = operations.indexOf("\n## Why something is not done\n")
    const section = operations.slice(from, operations.indexOf("\n### ", from + 1))
    const rows = [...section.matchAll(/^\| `([a-z-]+)` +\| .*? +\| (.*?) +\|$/gm)]
    assert.deepStrictEqual(Object.fromEntries(rows.map(([, reason, text]) => [reason, text])), { ...advice })
  })

  it("explains every reason for which an image is not copied, and no other", () => {
    const failures = (clones.labels["result"] ?? []).filter((it) => it !== "copied" && it !== "up-to-date")
    assert.deepStrictEqual(sorted(firstCells(operations, "Why an image is not copied")), sorted(failures))
  })

  it("explains every reason for which something is not restored, and no other", () => {
    assert.deepStrictEqual(sorted(firstCells(operations, "Undo")), sorted(Object.keys(leftReasons)))
  })

  it("names every trace by which the owner of a template is known", () => {
    for (const trace of [...marks.map((it) => it.key), ...fieldManagers.map((it) => it.name)]) {
      assert.include(operations, `\`${trace}`)
    }
  })

  it("names files of src/ that exist, where it says what lives where", () => {
    const page = read("docs/architecture.md")
    const from = page.indexOf("\n## Where each truth lives\n")
    const section = page.slice(from, page.indexOf("\n## ", page.indexOf("\n## To add something\n") + 1))
    let folder = ""
    let named = 0
    for (const [, path = ""] of section.matchAll(/`([a-zA-Z/]+\.ts)`/g)) {
      // a bare name is in the folder of the one before it
      if (path.includes("/")) folder = path.slice(0, path.lastIndexOf("/") + 1)
      const whole = path.includes("/") ? path : folder + path
      assert.isTrue(
        existsSync(new URL(`../../${whole.startsWith("test/") ? "" : "src/"}${whole}`, import.meta.url)),
        whole
      )
      named++
    }
    assert.isAbove(named, 40)
  })

  it("names metrics that exist", () => {
    const known = metricNames()
    assert.isAbove(known.size, 30)
    for (const name of [...all, "docs/alerts.yaml"]) {
      for (const [metric] of read(name).matchAll(/\bimage_cloner_[a-z0-9_]+/g)) {
        if (metric === "image_cloner_") continue
        assert.isTrue(known.has(metric) || known.has(metric.replace(/_(bucket|sum|count)$/, "")), `${name}: ${metric}`)
      }
    }
  })

  it("names settings that exist", () => {
    const settings: ReadonlySet<string> = new Set([...keys, ...Object.keys(processKeys)])
    const others = new Set([
      "KUBEBUILDER_ASSETS",
      "DOCKER_CONFIG_JSON",
      "NODE_COMPILE_CACHE",
      "MALLOC_ARENA_MAX",
      "NODE_EXTRA_CA_CERTS",
      "KMS_DSSE",
      "MINISTACK",
      "GOOGLE_APPLICATION_CREDENTIALS",
      "AZURE_CLIENT_ID",
      "AZURE_AUTHORITY_HOST"
    ])
    for (const name of all) {
      for (const [, word = ""] of read(name).matchAll(/`([A-Z]+_[A-Z_]+)(?:[:=][^`]*)?`/g)) {
        assert.isTrue(settings.has(word) || others.has(word), `${name}: ${word}`)
      }
    }
  })

  it("names targets of make that exist", () => {
    const targets = new Set([...read("Makefile").matchAll(/^([a-z]+):/gm)].map((it) => it[1]))
    for (const name of all) {
      for (const [, target] of read(name).matchAll(/(?:^|`)make ([a-z]+)/gm)) {
        assert.isTrue(targets.has(target), `${name}: make ${target}`)
      }
    }
  })

  it("has a section for every alert, and an alert for every such section", () => {
    const rules: { readonly groups: ReadonlyArray<{ readonly rules: ReadonlyArray<{ readonly alert?: string }> }> } =
      parse(read("docs/alerts.yaml"))
    const alerts = rules.groups.flatMap((group) => group.rules.flatMap((it) => it.alert ?? []))
    const sections = [...operations.matchAll(/^### (ImageCloner\w+)$/gm)].map((it) => it[1] ?? "")
    assert.deepStrictEqual(sorted(sections), sorted(alerts))
  })

  it("links to what is there", () => {
    const anchors = (page: string): ReadonlySet<string> =>
      new Set(
        [...page.matchAll(/^#+ (.+)$/gm)].map((it) =>
          (it[1] ?? "").toLowerCase().replaceAll(/[^a-z0-9 _-]/g, "").replaceAll(" ", "-")
        )
      )
    for (const name of all) {
      for (const [, target = ""] of read(name).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue
        const [file = "", anchor] = target.split("#")
        const path = file === "" ? name : normalize(join(dirname(name), file))
        assert.isTrue(existsSync(join(root, path)), `${name}: ${target}`)
        if (anchor !== undefined) assert.isTrue(anchors(read(path)).has(anchor), `${name}: ${target}`)
      }
    }
  })

  it("says of every file of test/support what it is for, and of no other", () => {
    const named = [...read("test/support/README.md").matchAll(/^- `([^`]+)`: /gm)].map((it) => it[1] ?? "")
    const there = globSync("*.ts", { cwd: join(root, "test/support") }).filter((it) => !it.endsWith(".test.ts"))
    assert.deepStrictEqual(sorted(named), sorted(there))
  })
})
