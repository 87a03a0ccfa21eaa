import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { format, formatName, type ImageReference, isSame, parse } from "../../src/image/ImageReference.ts"
import { digestOf, parts, toText } from "../support/References.ts"

const digest = digestOf("ab12")

const parsed = (text: string): ImageReference => {
  const result = parse(text)
  if (Result.isFailure(result)) assert.fail(result.failure.message)
  return result.success
}

const problem = (text: string): string => {
  const result = parse(text)
  if (Result.isSuccess(result)) assert.fail(`${text} was taken as ${format(result.success)}`)
  assert.strictEqual(result.failure.text, text)
  return result.failure.problem
}

describe("ImageReference", () => {
  it.each<[string, string]>([
    ["nginx", "docker.io/library/nginx:latest"],
    ["nginx:1.25", "docker.io/library/nginx:1.25"],
    ["grafana/grafana", "docker.io/grafana/grafana:latest"],
    ["docker.io/nginx", "docker.io/library/nginx:latest"],
    ["index.docker.io/nginx", "docker.io/library/nginx:latest"],
    ["registry-1.docker.io/library/nginx", "docker.io/library/nginx:latest"],
    ["registry.hub.docker.com/library/nginx:1", "docker.io/library/nginx:1"],
    ["docker.io:443/library/nginx", "docker.io/library/nginx:latest"],
    ["quay.io/a/b", "quay.io/a/b:latest"],
    ["QUAY.io/a/b:V1", "quay.io/a/b:V1"],
    ["quay.io:443/a/b", "quay.io/a/b:latest"],
    ["quay.io:0443/a/b", "quay.io/a/b:latest"],
    ["quay.io:8443/a/b:x", "quay.io:8443/a/b:x"],
    ["localhost/foo", "localhost/foo:latest"],
    ["localhost:5000/foo", "localhost:5000/foo:latest"],
    ["myhost/foo", "docker.io/myhost/foo:latest"],
    ["myhost:5000/foo", "myhost:5000/foo:latest"],
    ["127.0.0.1:5000/foo/bar:x", "127.0.0.1:5000/foo/bar:x"],
    ["[2001:DB8:0::1]:5000/x", "[2001:db8::1]:5000/x:latest"],
    ["[::1]/x", "[::1]/x:latest"],
    ["a__b/c--d/e---f.g_h", "docker.io/a__b/c--d/e---f.g_h:latest"],
    ["xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com/myimage:xn--n3h.com"],
    ["foo/foo_bar.com:8080", "docker.io/foo/foo_bar.com:8080"],
    ["nginx:_x", "docker.io/library/nginx:_x"],
    [`nginx@${digest}`, `docker.io/library/nginx@${digest}`],
    [`nginx:1.25@${digest}`, `docker.io/library/nginx:1.25@${digest}`],
    // a capital makes a host of the first component, even without a dot
    ["Foo/bar", "foo:443/bar:latest"]
  ])("reads %s as %s", (text, expected) => {
    assert.strictEqual(format(parsed(text)), expected)
  })

  it("keeps absent what is absent: latest is added by format alone", () => {
    assert.deepStrictEqual(parsed("nginx"), { registry: "docker.io", repository: "library/nginx" })
    assert.deepStrictEqual(parsed(`a/b@${digest}`), { registry: "docker.io", repository: "a/b", digest })
    assert.deepStrictEqual(parsed(`a/b:1@${digest}`), { registry: "docker.io", repository: "a/b", tag: "1", digest })
    assert.strictEqual(formatName(parsed("nginx:1")), "docker.io/library/nginx")
  })

  it.each<[string, RegExp]>([
    ["", /empty/],
    [" nginx", /not a repository name/],
    ["nginx ", /not a repository name/],
    ["Nginx", /lower case/],
    ["foo/Bar", /lower case/],
    ["quay.io/A/b", /lower case/],
    ["0123456789abcdef".repeat(4), /image id/],
    [":tag", /missing/],
    ["quay.io/", /missing/],
    ["https://quay.io/a/b", /host name|repository/],
    ["nginx:", /tag/],
    ["nginx:.x", /tag/],
    ["nginx:-x", /tag/],
    [`nginx:${"x".repeat(129)}`, /tag/],
    ["nginx@sha256:abc", /digest/],
    [`nginx@sha256:${"A".repeat(64)}`, /digest/],
    [`nginx@md5:${"a".repeat(32)}`, /digest/],
    ["nginx@", /digest/],
    ["a//b", /repository name/],
    ["quay.io/-a", /repository name/],
    ["quay.io/a-", /repository name/],
    ["quay.io/a..b", /repository name/],
    ["quay.io/a___b", /repository name/],
    ["quay.io/../../etc", /repository name/],
    ["foo_bar.com/x", /host name/],
    ["-quay.io/x", /host name/],
    ["quay.io:/x", /host name/],
    ["quay.io:0/x", /port/],
    ["quay.io:65536/x", /port/],
    ["[fe80::1%eth0]/x", /host name/],
    ["[:::]/x", /IPv6/],
    ["[1:2:3]/x", /IPv6/],
    [`quay.io/${"a/".repeat(127)}ab`, /255/]
  ])("refuses %j", (text, expected) => {
    assert.match(problem(text), expected)
  })

  it("takes a repository of exactly 255 characters", () => {
    assert.strictEqual(parsed(`quay.io/${"a/".repeat(127)}a`).repository.length, 255)
  })

  it.prop("format is parsed back to the same reference, and is stable", [parts], ([it]) => {
    const reference = parsed(toText(it))
    const text = format(reference)
    assert.strictEqual(format(parsed(text)), text)
    assert.deepStrictEqual(parsed(text), {
      ...reference,
      ...(reference.tag === undefined && reference.digest === undefined ? { tag: "latest" } : {})
    })
  }, { arbitrary: { runs: 1000 } })
})

describe("isSame", () => {
  it("is told by the canonical form, and of what is no reference by its text", () => {
    assert.isTrue(isSame("nginx", "docker.io/library/nginx:latest"))
    assert.isFalse(isSame("nginx:1", "nginx:2"))
    assert.isFalse(isSame("nginx:1", `nginx:1@sha256:${"a".repeat(64)}`))
    assert.isTrue(isSame("No Name", "No Name"))
    assert.isFalse(isSame("No Name", "no name"))
  })
})
