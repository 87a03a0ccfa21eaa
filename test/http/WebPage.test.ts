import { assert, describe, it } from "@effect/vitest"
import { pageOf } from "../../src/http/WebPage.ts"

const page = (body: string, type?: string, url?: string) =>
  pageOf({
    headers: type === undefined ? {} : { "content-type": type },
    body: Buffer.from(body),
    url: url === undefined ? undefined : new URL(url)
  })

describe("a web page in place of an answer", () => {
  it.each<[string, string | undefined, string | undefined, string]>([
    [
      "<html><head><title> 502 Bad\n Gateway </title></head>",
      "text/html",
      undefined,
      "a web page (\"502 Bad Gateway\")"
    ],
    ["<!DOCTYPE html><html>", undefined, "https://r.test/v2/a/manifests/1", "a web page"],
    ["no tags", "text/html; charset=utf-8", "https://r.test/", "a web page of https://r.test/"],
    ["<html><title>Sign in · Corp</title>", "text/html", "https://r.test/v2/a", "a login page (\"Sign in · Corp\")"],
    ["<html>", "TEXT/HTML", "https://r.test/login?next=secret", "a login page of https://r.test/login"],
    ["<html><input type=\"password\">", "text/html", undefined, "a login page"]
  ])("%j of type %s by %s is %s", (body, type, url, expected) => {
    assert.strictEqual(page(body, type, url), expected)
  })

  it.each<[string, string | undefined]>([
    ["{\"schemaVersion\":2}", "application/json"],
    ["<Error><Code>AccessDenied</Code></Error>", "application/xml"],
    [" {\"schemaVersion\":2}", "text/html"],
    ["<html-like text", "text/plain"],
    ["", undefined],
    ["", "text/html; charset=utf-8"]
  ])("%j of type %s is none", (body, type) => {
    assert.isUndefined(page(body, type))
  })

  it("is not read for longer than its head", () => {
    assert.strictEqual(page(`<html>${" ".repeat(20_000)}<title>late</title>`, "text/html"), "a web page")
    assert.isBelow(page(`<html><title>${"x".repeat(300)}</title>`)?.length ?? 0, 130)
  })
})
