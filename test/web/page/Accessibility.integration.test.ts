// The status page as axe judges it in Chromium: light and dark, on a screen and on a phone; and that a phone need not scroll sideways.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Path, Schema } from "effect"
import axe from "axe-core"
import { pathToFileURL } from "node:url"
import { pageHtml } from "../../../src/web/page/PageHtml.ts"
import { pageStyle } from "../../../src/web/page/PageStyle.ts"
import { run } from "../../support/Command.ts"
import { chromium } from "./Browser.ts"
import { viewOf } from "./Views.ts"

const Judgement = Schema.fromJsonString(Schema.Struct({
  rules: Schema.Number,
  violations: Schema.Array(Schema.String),
  overflow: Schema.Number
}))

/** Sends what axe finds to the page around, which a browser writes down. */
const judge = `addEventListener("load", async () => {
  const { passes, violations } = await axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
  const told = violations.flatMap(({ id, nodes }) => nodes.map(({ failureSummary, html }) => id + ": " + html + ": " + failureSummary));
  const overflow = document.documentElement.scrollWidth - innerWidth;
  parent.postMessage(JSON.stringify({ rules: passes.length, violations: told, overflow }), "*");
});`

const around = (width: number) =>
  `<!doctype html><title>around</title><pre id="said"></pre><script>
addEventListener("message", ({ data }) => { document.getElementById("said").textContent = btoa(encodeURIComponent(data)); });
</script><iframe src="page.html" width="${width}" height="4000"></iframe>`

const judged = Effect.fnUntraced(function*(page: string, width: number, dark: boolean) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped()
  const write = (name: string, text: string) => fs.writeFileString(path.join(folder, name), text)
  yield* write("status.css", pageStyle)
  yield* write("judge.js", judge)
  yield* write("axe.js", axe.source)
  // without the page's own script, which asks a server for what is new
  const judging = "<script src=\"axe.js\"></script><script src=\"judge.js\"></script></head>"
  yield* write("page.html", page.replace(/<script src="status.js" defer><\/script>/, "").replace("</head>", judging))
  yield* write("around.html", around(width))
  const { stderr, stdout } = yield* run(chromium ?? "chromium", [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--allow-file-access-from-files",
    `--user-data-dir=${folder}/browser`,
    `--blink-settings=preferredColorScheme=${dark ? 0 : 1}`,
    "--window-size=1400,4200",
    "--virtual-time-budget=20000",
    "--dump-dom",
    pathToFileURL(path.join(folder, "around.html")).href
  ], { env: { HOME: folder, PATH: "/usr/bin:/bin" } })
  const said = /<pre id="said">([^<]+)</.exec(stdout)?.[1] ?? assert.fail(`the browser has said nothing: ${stderr}`)
  return yield* Schema.decodeUnknownEffect(Judgement)(decodeURIComponent(atob(said)))
}, Effect.scoped)

describe.skipIf(chromium === undefined)("the page, as axe judges it", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    for (const dark of [false, true]) {
      for (const [place, width] of [["a screen", 1280], ["a phone", 390]] as const) {
        it.effect(
          `${dark ? "dark" : "light"}, on ${place}: nothing to object to, and no scrolling sideways`,
          () =>
            Effect.gen(function*() {
              for (const page of [pageHtml(viewOf()), pageHtml(viewOf("a-name-".repeat(30))), pageHtml(undefined)]) {
                const { overflow, rules, violations } = yield* judged(page, width, dark)
                assert.deepStrictEqual(violations, [])
                assert.isAbove(rules, 8)
                assert.isAtMost(overflow, 0)
              }
            }),
          60_000
        )
      }
    }

    it.effect("is judged: a colour that cannot be read is named", () =>
      Effect.gen(function*() {
        const pale = pageHtml(viewOf()).replace("<h1>", "<h1 style=\"color: #eee\">")
        assert.match((yield* judged(pale, 1280, false)).violations.join(), /color-contrast: <h1/)
      }), 60_000)
  })
})
