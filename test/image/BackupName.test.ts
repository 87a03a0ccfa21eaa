import { assert, describe, it } from "@effect/vitest"
import { Option, Result, Schema } from "effect"
import { createHash } from "node:crypto"
import {
  type Backup,
  backupOf,
  isForeignCopy,
  isUnder,
  parseBackup,
  protectionTag,
  sourceOf
} from "../../src/image/BackupName.ts"
import { isDigest } from "../../src/image/Digest.ts"
import { format, formatName, type ImageReference, isRepository, isTag, parse } from "../../src/image/ImageReference.ts"
import { digestOf, parts, reference, toText } from "../support/References.ts"

const parsed = (text: string): ImageReference => Result.getOrThrow(parse(text))
const backup = (text: string, layout: "auto" | "nested" | "flat" = "auto"): Backup =>
  Result.getOrThrow(parseBackup(text, layout))

const nested: Backup = backup("backup.example:5000/mirror/all")
const flat: Backup = backup("quay.io/cargaona")
const ecr: Backup = backup("123456789012.dkr.ecr.eu-west-1.amazonaws.com/mirror")
const digest = digestOf("12ab")

const nameOf = (target: Backup, text: string) => format(backupOf(target, parsed(text)))

describe("parseBackup", () => {
  it("is flat where the registry has two levels, else nested", () => {
    assert.deepStrictEqual(flat, { registry: "quay.io", prefix: "cargaona", layout: "flat" })
    assert.strictEqual(backup("index.docker.io/someone").registry, "docker.io")
    assert.strictEqual(backup("docker.io/someone").layout, "flat")
    assert.deepStrictEqual(nested, { registry: "backup.example:5000", prefix: "mirror/all", layout: "nested" })
    assert.strictEqual(backup("quay.io/cargaona", "nested").layout, "nested")
    assert.strictEqual(backup("localhost/x", "flat").layout, "flat")
  })

  it.each<[string, RegExp]>([
    ["", /prefix is missing/],
    ["quay.io", /prefix is missing/],
    ["quay.io/", /not a lower-case path/],
    ["quay.io/x/", /not a lower-case path/],
    ["quay.io/X", /not a lower-case path/],
    ["cargaona/x", /not a host name/],
    ["https://quay.io/x", /scheme/],
    ["quay.io/x:latest", /tag/],
    [`quay.io/x@${digest}`, /digest/],
    ["quay.io:99999/x", /port/],
    ["docker.io/a/b", /two levels/],
    [`quay.io/${"x".repeat(128)}`, /128/],
    ["123456789012.dkr.ecr.eu-west-1.amazonaws.com/a--b", /does not allow/],
    // partitions that came later, and both names of the public gallery
    ["123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu/a--b", /does not allow/],
    ["123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn/a__b", /does not allow/],
    ["123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov/a--b", /does not allow/],
    ["ecr-public.aws.com/a--b", /does not allow/]
  ])("refuses %j and says what is wanted", (text, expected) => {
    const result = parseBackup(text, "auto")
    if (Result.isSuccess(result)) return assert.fail("was taken")
    assert.match(result.failure.message, expected)
    assert.include(result.failure.message, "host[:port]/prefix")
  })

  it("refuses a nested layout on Docker Hub", () => {
    assert.isTrue(Result.isFailure(parseBackup("docker.io/someone", "nested")))
  })
})

describe("backupOf", () => {
  it.each<[string, string]>([
    ["nginx", "backup.example:5000/mirror/all/docker.io/library/nginx:latest"],
    ["library/nginx:1", "backup.example:5000/mirror/all/docker.io/library/nginx:1"],
    ["other.example/library/nginx:1", "backup.example:5000/mirror/all/other.example/library/nginx:1"],
    ["localhost:5000/a", "backup.example:5000/mirror/all/localhost_5000/a:latest"],
    ["[2001:db8::1]:5000/a", `backup.example:5000/mirror/all/ip6_20010db8${"0".repeat(20)}0001_5000/a:latest`],
    [`quay.io/a/b@${digest}`, `backup.example:5000/mirror/all/quay.io/a/b@${digest}`],
    [`quay.io/a/b:1@${digest}`, `backup.example:5000/mirror/all/quay.io/a/b:1@${digest}`]
  ])("nested: %s becomes %s", (text, expected) => {
    assert.strictEqual(nameOf(nested, text), expected)
  })

  it("flat: one readable component with a hash that never changes between versions", () => {
    assert.strictEqual(
      nameOf(flat, "nginx:1"),
      `quay.io/cargaona/docker-io-library-nginx-${expectedHash("docker.io/library/nginx")}:1`
    )
    assert.match(nameOf(flat, "nginx"), /^quay\.io\/cargaona\/docker-io-library-nginx-[a-z2-7]{26}:latest$/)
  })

  it("tells apart what a plain replacement of separators would not", () => {
    assert.notStrictEqual(nameOf(flat, "quay.io/a/b-c"), nameOf(flat, "quay.io/a-b/c"))
    assert.notStrictEqual(nameOf(flat, "H/foo"), nameOf(flat, "h/foo"))
    assert.notStrictEqual(nameOf(nested, "H/foo"), nameOf(nested, "h/foo"))
  })

  it("hashes what is too long nested", () => {
    const long = `quay.io/${"a/".repeat(120)}b`
    const name = backupOf(nested, parsed(long))
    assert.match(name.repository, /^mirror\/all\/hash_sha256\/quay-io-a-a[a-z0-9-]+-[a-z2-7]{26}$/)
    assert.isTrue(Option.isNone(sourceOf(nested, name)))
  })

  it("hashes what ECR's grammar refuses, and only that", () => {
    assert.include(nameOf(ecr, "quay.io/a__b/c"), "/mirror/hash_sha256/quay-io-a-b-c-")
    assert.include(nameOf(ecr, "xn--n3h.com/x"), "/mirror/hash_sha256/xn-n3h-com-x-")
    assert.include(nameOf(ecr, "localhost:5000/a_b"), "/mirror/localhost_5000/a_b:latest")
    assert.include(nameOf(nested, "quay.io/a__b/c"), "/quay.io/a__b/c")
  })

  const prefix = Schema.String.check(Schema.isPattern(/^[a-z0-9]{1,20}(\/[a-z0-9]{1,20}){0,2}$/))
  const target = Schema.Struct({
    host: Schema.Literals([
      "backup.example",
      "localhost:5000",
      "[::1]:5000",
      "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    ]),
    prefix,
    layout: Schema.Literals(["nested", "flat"])
  })

  it.prop("is injective over any two sources, legal and short enough", [target, parts, parts], ([to, one, other]) => {
    const into = backup(`${to.host}/${to.prefix}`, to.layout)
    const [a, b] = [parsed(toText(one)), parsed(toText(other))]
    const [x, y] = [backupOf(into, a), backupOf(into, b)]
    assert.strictEqual(formatName(a) === formatName(b), formatName(x) === formatName(y))
    for (const name of [x, y]) {
      assert.isTrue(isRepository(name.repository), name.repository)
      assert.isAtMost(formatName(name).length, 255)
      assert.isTrue(isUnder(into, name))
      assert.deepStrictEqual(parsed(format(name)), name)
      if (into.layout === "flat") assert.notInclude(name.repository.slice(into.prefix.length + 1), "/")
    }
  }, { arbitrary: { runs: 1000 } })

  it.prop("two backups that copy from each other never nest names", [target, target, parts], ([here, there, of]) => {
    const [one, other] = [here, there].map((it) => backup(`${it.host}/${it.prefix}`, it.layout))
    let at = parsed(toText(of))
    let before: ImageReference | undefined
    let copies = 0
    for (const by of Array.from({ length: 4 }, () => [one, other]).flat()) {
      if (by === undefined || isUnder(by, at) || isForeignCopy(by, at, before)) continue
      before = at
      at = backupOf(by, at)
      copies++
    }
    assert.isAtMost(copies, 3)
  })

  it.prop("nested names lead back to their source, hashed and flat ones to none", [target, parts], ([to, one]) => {
    const into = backup(`${to.host}/${to.prefix}`, to.layout)
    const source = parsed(toText(one))
    const back = sourceOf(into, backupOf(into, source))
    const hashed = backupOf(into, source).repository.startsWith(`${into.prefix}/hash_sha256/`)
    if (into.layout === "flat" || hashed) return assert.isTrue(Option.isNone(back))
    assert.strictEqual(format(Option.getOrThrow(back)), format(source))
  }, { arbitrary: { runs: 1000 } })

  it.prop("near misses stay apart: one separator changed", [
    Schema.String.check(Schema.isPattern(/^[a-z]{1,3}([-./_][a-z]{1,3}){2,4}$/)),
    Schema.String.check(Schema.isPattern(/^[a-z]{1,3}([-./_][a-z]{1,3}){2,4}$/))
  ], ([one, other]) => {
    for (const into of [nested, flat]) {
      const [a, b] = [parsed(`x.io/${one}`), parsed(`x.io/${other}`)]
      assert.strictEqual(one === other, formatName(backupOf(into, a)) === formatName(backupOf(into, b)))
    }
  }, { arbitrary: { runs: 500 } })
})

describe("isUnder", () => {
  it("is decided by parsing: neither a neighbour nor a substring counts", () => {
    const under = (text: string) => isUnder(nested, parsed(text))
    assert.isTrue(under("backup.example:5000/mirror/all/docker.io/library/nginx"))
    assert.isTrue(under("backup.example:5000/mirror/all"))
    assert.isTrue(under("BACKUP.example:5000/mirror/all/x@" + digest))
    assert.isFalse(under("backup.example:5000/mirror/all-other/x"))
    assert.isFalse(under("backup.example:5000/mirror/al/l"))
    assert.isFalse(under("backup.example/mirror/all/x"))
    assert.isFalse(under("evil.example/backup.example/mirror/all/x"))
    assert.isTrue(isUnder(backup("docker.io/someone"), parsed("index.docker.io/someone/x")))
  })
})

describe("isForeignCopy", () => {
  const ours = backup("backup.example/copies")

  it.each([
    ["the same backup by another host name", "other.example/copies/docker.io/library/nginx:1"],
    ["what a pull-through cache makes of it", "cache.example/proxy/copies/quay.io/a/b:1"],
    ["below another path of our own host", "backup.example/team/copies/docker.io/library/nginx:1"],
    ["a copy of a copy of ours", "third.example/theirs/backup.example/copies/docker.io/library/nginx:1"],
    ["a source with a port", "other.example/copies/registry_5000/app:1"],
    ["a flat name", format(backupOf({ ...ours, registry: "other.example", layout: "flat" }, parsed("nginx:1")))],
    [
      "a hashed name",
      format(backupOf({ ...ours, registry: "other.example" }, parsed(`quay.io/${"long/".repeat(44)}x:1`)))
    ]
  ])("is %s", (_, text) => {
    assert.isTrue(isForeignCopy(ours, parsed(text)))
  })

  it("is what another made of a copy of ours, even where hashes hide the prefix", () => {
    const theirs = backup("quay.io/theirs")
    const copy = backupOf(ours, parsed("nginx:1"))
    const again = backupOf(theirs, copy)
    assert.isFalse(isForeignCopy(ours, again))
    assert.isTrue(isForeignCopy(ours, again, copy))
    // the annotation of theirs is still there, and somebody has set another image since
    assert.isFalse(isForeignCopy(ours, parsed("quay.io/theirs/app:2"), copy))
  })

  it.each([
    ["ours", "backup.example/copies/docker.io/library/nginx:1"],
    ["an ordinary image", "nginx:1"],
    ["one whose path ends with the prefix", "quay.io/team/copies:1"],
    ["one below the prefix that has no host after it", "quay.io/copies/library/nginx:1"],
    ["one directly below the prefix", "quay.io/copies/nginx-controller:1"],
    ["one that has the prefix within a component", "quay.io/my-copies/docker.io/nginx:1"],
    ["a copy under another prefix, as after a move to another one", "other.example/mirror/docker.io/library/nginx:1"]
  ])("is not %s", (_, text) => {
    assert.isFalse(isForeignCopy(ours, parsed(text)))
  })
})

describe("sourceOf", () => {
  it("carries tag and digest over", () => {
    const name = reference("backup.example:5000", "mirror/all/quay.io_8443/a/b", { tag: "1", digest })
    assert.deepStrictEqual(
      sourceOf(nested, name),
      Option.some(reference("quay.io:8443", "a/b", { tag: "1", digest }))
    )
  })

  it.each([
    "elsewhere.example/mirror/all/quay.io/a",
    "backup.example:5000/mirror/all",
    "backup.example:5000/mirror/all/quay.io",
    "backup.example:5000/mirror/all/hash_sha256/x",
    "backup.example:5000/mirror/all/quay.io_443/a",
    "backup.example:5000/mirror/all/quay.io_08443/a",
    "backup.example:5000/mirror/all/index.docker.io/library/nginx",
    "backup.example:5000/mirror/all/docker.io/nginx",
    "backup.example:5000/mirror/all/a_b_5/c",
    "backup.example:5000/mirror/all/ip6_12/c"
  ])("knows no source for %s, which the map never makes", (text) => {
    assert.isTrue(Option.isNone(sourceOf(nested, parsed(text))))
  })
})

describe("protectionTag", () => {
  it("is a legal tag for every algorithm and never the referrers' fallback form", () => {
    for (const text of [digest, `sha384:${"a".repeat(96)}`, `sha512:${"b".repeat(128)}`]) {
      if (!isDigest(text)) return assert.fail(text)
      assert.isTrue(isTag(protectionTag(text)))
      assert.match(protectionTag(text), /^at-sha(256|384|512)-/)
    }
    assert.strictEqual(protectionTag(digest), `at-sha256-${digest.slice(7)}`)
  })
})

// RFC 4648 base32 the long way round, over a bit string, as a second opinion on the implementation's shifts.
const expectedHash = (text: string): string => {
  const bits = [...createHash("sha256").update(text).digest()].map((byte) => byte.toString(2).padStart(8, "0")).join("")
  return Array.from(
    { length: 26 },
    (_, index) => "abcdefghijklmnopqrstuvwxyz234567".charAt(Number.parseInt(bits.slice(index * 5, index * 5 + 5), 2))
  ).join("")
}
