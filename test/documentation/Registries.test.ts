// The page on registries: one short section for each product, with its own documentation as the source.
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const page = readFileSync(fileURLToPath(new URL("../../docs/registries.md", import.meta.url)), "utf8")
const sections = page.split("\n## ").slice(1).map((it) => it.trim().split("\n"))

describe("the page on registries", () => {
  it("has a section for each product that people have", () => {
    const products = [
      "Docker Hub",
      "GHCR",
      "quay.io",
      "ECR",
      "Google",
      "Azure",
      "Harbor",
      "Nexus",
      "Artifactory",
      "GitLab",
      "Gitea",
      "Distribution",
      "zot"
    ]
    for (const name of products) assert.isTrue(sections.some(([title]) => title?.includes(name)), name)
    assert.lengthOf(sections, products.length)
  })

  it.each(sections.map((lines) => [lines[0] ?? "", lines] as const))(
    "says of %s what it needs, and where that is from",
    (_, lines) => {
      const text = lines.join("\n")
      assert.isAtMost(lines.length, 12)
      assert.include(text, "**Backup**")
      assert.match(text, /Source: \[[^\]]+\]\(https:\/\//)
    }
  )
})
