import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { isDeepStrictEqual } from "node:util"
import { unfit } from "../../../src/http/UnfitText.ts"
import { pageHtml, partsOf } from "../../../src/web/page/PageHtml.ts"
import { viewOf } from "./Views.ts"

/** The tags of a page, without their values: what of it a browser takes for markup. */
const markup = (page: string): ReadonlyArray<string> =>
  (page.match(/<[^>]*>/g) ?? []).map((it) => it.replaceAll(/"[^"]*"/g, "\"\""))

const nasty = [
  "<script>alert(1)</script>",
  "\" onmouseover=\"alert(1)",
  "' onfocus='alert(1)",
  "</table></main></body>",
  "<!--",
  "]]>",
  "&lt;b&gt;",
  "\u0000\u001b[2J\r\n",
  "\u202e\u2066",
  "\ud800",
  "javascript:alert(1)",
  "x".repeat(600)
]

/** Whether it brings no markup and no control character with it. */
const isInPlace = (text: string): boolean => {
  const page = pageHtml(viewOf(text))
  return isDeepStrictEqual(markup(page), markup(pageHtml(viewOf("name")))) &&
    page.replaceAll("\n", "").search(unfit) === -1
}

describe("the page", () => {
  it.each(nasty)("keeps %j in its place, whatever field it is in", (text) => {
    assert.isTrue(isInPlace(text))
  })

  it.effect.prop(
    "keeps any text in its place, whatever field it is in",
    [Schema.String],
    ([text]) => Effect.sync(() => assert.isTrue(isInPlace(`${text}<${text}"${text}`)))
  )

  it("reads without script and style: landmarks, headings in their order, tables with captions and headings", () => {
    const page = pageHtml(viewOf())
    for (const landmark of ["header", "main", "footer"]) {
      assert.strictEqual(page.split(`<${landmark}`).length, 2, landmark)
    }
    const levels = [...page.matchAll(/<h(\d)/g)].map((it) => Number(it[1]))
    assert.strictEqual(levels.filter((it) => it === 1).length, 1)
    assert.isTrue(levels.every((it, index) => index === 0 || it <= (levels[index - 1] ?? 0) + 1))
    const tables = page.split("<table>").slice(1)
    assert.isAbove(tables.length, 6)
    assert.isTrue(tables.every((it) => it.startsWith("<caption>")))
    assert.notMatch(page, /<th(?! scope=|ead)/)
    assert.match(page, /<html lang="en">/)
    assert.match(page, /role="img" aria-label="Course of coverage\./)
    assert.notMatch(page, / style=|<style| on[a-z]+=|<script(?! src="status\.js" defer><\/script>)/)
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map((it) => it[1])
    assert.strictEqual(new Set(ids).size, ids.length)
  })

  it("says how much more there is of what it does not list", () => {
    const page = pageHtml(viewOf())
    for (
      const more of [
        "Namespaces not shown: 3",
        "Copies not shown: 2",
        "Images not shown: 4",
        "Images not shown: 5",
        "and 31 more",
        "Registries not shown: 1"
      ]
    ) {
      assert.include(page, more)
    }
  })

  it("says what it is when there is nothing yet", () => {
    assert.include(pageHtml(undefined), "The controller has not begun yet")
    const empty = { first: [], more: 0 }
    const bare = { ...viewOf(), complete: false, course: [], copies: empty, waiting: 0, held: [], changes: [] }
    const page = pageHtml({ ...bare, namespaces: empty, trouble: empty, failed: empty, registries: empty })
    for (
      const words of ["has not seen the whole cluster yet", "Nothing is held.", "No workload does.", "two samples"]
    ) {
      assert.include(page, words)
    }
  })

  it("has parts that can take each other's place", () => {
    const page = pageHtml(viewOf())
    for (const { body, id } of partsOf(viewOf())) {
      assert.include(page, `id="${id}"`)
      assert.include(page, body.text)
    }
  })
})
