import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { unfit } from "../../../src/http/UnfitText.ts"
import { escaped, html } from "../../../src/web/page/Html.ts"

/** What a browser reads of it. */
const read = (text: string): string =>
  text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", "\"").replaceAll("&#39;", "'")
    .replaceAll("&#96;", "`").replaceAll("&amp;", "&")

describe("a template of HTML", () => {
  it("escapes what is put into it, and not what came out of one", () => {
    const inner = html`<b>${"<script>alert('1')</script>"}</b>`
    assert.strictEqual(inner.text, "<b>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;</b>")
    assert.strictEqual(
      html`<p title="${"\" onclick=\"x"}">${inner}${[inner]}${3}${undefined}</p>`.text,
      [
        "<p title=\"&quot; onclick=&quot;x\">",
        inner.text,
        inner.text,
        "3</p>"
      ].join("")
    )
  })

  it("shows what turns or hides text", () => {
    assert.strictEqual(escaped("a\u0000\u001b[31m\u202eb\u2028"), "a\\u0000\\u001b[31m\\u202eb\\u2028")
    assert.strictEqual(escaped("\ud800x"), "\ufffdx")
  })

  it.effect.prop(
    "lets nothing out of its place, and loses nothing that can be seen",
    [Schema.String],
    ([text]) =>
      Effect.sync(() => {
        const there = escaped(`${text}<"'>&\`${text}`)
        assert.notMatch(there, /[<>"'`]|&(?!(?:amp|lt|gt|quot|#39|#96);)/)
        assert.strictEqual(there.search(unfit), -1)
        assert.include(read(there), text.toWellFormed().split(unfit)[0] ?? "")
      })
  )
})
