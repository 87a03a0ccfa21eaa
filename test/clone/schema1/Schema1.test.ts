// The conversion of schema 1 by itself: what docker v24 made of the same input, byte for byte.
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { convertSchema1, type LayerContent, layersOf, readSchema1 } from "../../../src/clone/schema1/Schema1.ts"
import { type Digest, digestOf } from "../../../src/image/Digest.ts"
import {
  emptyLayer,
  idOf,
  schema1Image,
  type Schema1Options,
  type Schema1Step,
  tarLayer
} from "../../support/Schema1Images.ts"

const a = tarLayer("a")
const b = tarLayer("b")
const diffOf = (blob: Digest): Digest => `sha256:${blob.slice(7).split("").toReversed().join("")}`
const holding = (blob: Digest, more: Partial<LayerContent> = {}): LayerContent => ({
  size: 100,
  diffId: diffOf(blob),
  gzip: true,
  empty: false,
  ...more
})

const read = (steps: ReadonlyArray<Schema1Step>, options: Schema1Options = {}) =>
  readSchema1(schema1Image(steps, options).root.bytes)
const problem = (steps: ReadonlyArray<Schema1Step>, options: Schema1Options = {}) => {
  const result = read(steps, options)
  return Result.isFailure(result) ? result.failure : assert.fail("was taken")
}
/** Config and manifest as text; every layer is a gzip with something in it unless said otherwise. */
const converted = (
  steps: ReadonlyArray<Schema1Step>,
  options: Schema1Options = {},
  contents: Readonly<Record<string, Partial<LayerContent>>> = {}
) => {
  const image = Result.getOrThrow(read(steps, options))
  const known = new Map(layersOf(image).map((it) => [it, holding(it, contents[it])]))
  const { config, manifest } = Result.getOrThrow(convertSchema1(image, known))
  return { config: Buffer.from(config).toString(), manifest: Buffer.from(manifest).toString() }
}

const newer = { docker_version: "1.10.0", os: "linux", architecture: "amd64" }

describe("converting schema 1", () => {
  it("gives a config and a manifest of schema 2, base first, their members in order", () => {
    const top = {
      ...newer,
      config: { Env: ["A=<b>"], Cmd: null },
      Size: 5,
      throwaway: false,
      parent_id: "x",
      layer_id: "y"
    }
    const { config, manifest } = converted([
      { layer: a, says: { container_config: { Cmd: ["/bin/sh", "-c", "#(nop) ADD & more"] }, author: "Ann" } },
      { layer: emptyLayer, says: { throwaway: true, container_config: { Cmd: "ENV" }, comment: "nothing" } },
      { layer: b, says: top }
    ])
    assert.strictEqual(
      config,
      "{\"architecture\":\"amd64\",\"config\":{\"Env\":[\"A=\\u003cb\\u003e\"],\"Cmd\":null},\"created\":\"2015-06-03T00:00:00.5Z\","
        + "\"docker_version\":\"1.10.0\",\"history\":["
        + "{\"created\":\"2015-06-01T00:00:00.5Z\",\"author\":\"Ann\",\"created_by\":\"/bin/sh -c #(nop) ADD \\u0026 more\"},"
        + "{\"created\":\"2015-06-02T00:00:00.5Z\",\"created_by\":\"ENV\",\"comment\":\"nothing\",\"empty_layer\":true},"
        + "{\"created\":\"2015-06-03T00:00:00.5Z\"}],\"os\":\"linux\","
        + `"rootfs":{"type":"layers","diff_ids":["${diffOf(a.digest)}","${diffOf(b.digest)}"]}}`
    )
    const gzip = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    assert.strictEqual(
      manifest,
      `{"config":{"digest":"${
        digestOf(Buffer.from(config))
      }","mediaType":"application/vnd.docker.container.image.v1+json",`
        + `"size":${config.length}},"layers":[{"digest":"${a.digest}","mediaType":"${gzip}","size":100},`
        + `{"digest":"${b.digest}","mediaType":"${gzip}","size":100}],`
        + "\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\",\"schemaVersion\":2}"
    )
  })

  it("reads and writes again what dockers before 1.8.3 wrote, as docker does", () => {
    const { config } = converted([{
      layer: a,
      says: {
        docker_version: "1.6.2",
        os: "linux",
        architecture: "amd64",
        unknown: 1,
        checksum: "x",
        container: "c0ffee",
        container_config: { Hostname: "h", Cmd: "one word", Memory: 5 },
        config: {
          Labels: { b: "2", a: "1" },
          ExposedPorts: {},
          Volumes: {},
          Healthcheck: { Retries: 3 },
          StopTimeout: 0
        }
      }
    }])
    const rest = (members: string) =>
      `"Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,"OpenStdin":false,`
      + `"StdinOnce":false,"Env":null,${members}`
    assert.strictEqual(
      config,
      `{"architecture":"amd64","config":{"Hostname":"",`
        + rest(`"Cmd":null,"Healthcheck":{"Retries":3},"Image":"","Volumes":{},"WorkingDir":"","Entrypoint":null,`)
        + `"OnBuild":null,"Labels":{"a":"1","b":"2"},"StopTimeout":0},"container":"c0ffee","container_config":{"Hostname":"h",`
        + rest(`"Cmd":["one word"],"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,`)
        + `"OnBuild":null,"Labels":null},"created":"2015-06-01T00:00:00.5Z","docker_version":"1.6.2",`
        + `"history":[{"created":"2015-06-01T00:00:00.5Z","created_by":"one word"}],"os":"linux",`
        + `"rootfs":{"type":"layers","diff_ids":["${diffOf(a.digest)}"]}}`
    )
  })

  it.each([
    ["1.8.3", true],
    ["1.8.2", false],
    ["1.10", true],
    ["2", true],
    ["1.8.3-rc1", false],
    ["17.03.1-ce", true],
    ["", false],
    [undefined, false]
  ])("keeps what docker %j wrote: %s", (docker_version, kept) => {
    const { config } = converted([{ layer: a, says: { ...newer, docker_version, unknown: "member" } }])
    assert.strictEqual(config.includes("unknown"), kept)
  })

  it("says Linux and the manifest's architecture where the config says neither", () => {
    const says = { docker_version: "1.10.0", os: "", architecture: null }
    const of = (options: Schema1Options) => JSON.parse(converted([{ layer: a, says }], options).config)
    assert.deepInclude(of({ more: { architecture: "arm" } }), { os: "linux", architecture: "arm" })
    assert.deepInclude(of({ more: { architecture: undefined } }), { os: "linux", architecture: "amd64" })
    const said = converted([{ layer: a, says: { ...says, os: "windows", architecture: "arm64" } }]).config
    assert.deepInclude(JSON.parse(said), { os: "windows", architecture: "arm64" })
  })

  it("leaves layers out that hold nothing, flagged or not, and says so in the history", () => {
    const steps = [{ layer: a }, { layer: emptyLayer }, { layer: b, says: { throwaway: true } }, { layer: b }]
    const { config, manifest } = converted(steps, {}, { [emptyLayer.digest]: { empty: true } })
    const { history, rootfs } = JSON.parse(config)
    assert.deepStrictEqual(rootfs.diff_ids, [diffOf(a.digest), diffOf(b.digest)])
    assert.deepStrictEqual(history.map((it: object) => "empty_layer" in it), [false, true, true, false])
    assert.deepStrictEqual(JSON.parse(manifest).layers.map((it: { digest: string }) => it.digest), [a.digest, b.digest])
  })

  it("keeps each occurrence of a layer, and calls plain tars what they are", () => {
    const { config, manifest } = converted([{ layer: a }, { layer: b }, { layer: a }], {}, {
      [a.digest]: { gzip: false }
    })
    assert.deepStrictEqual(JSON.parse(config).rootfs.diff_ids, [a, b, a].map((it) => diffOf(it.digest)))
    assert.deepStrictEqual(
      JSON.parse(manifest).layers.map((it: { mediaType: string }) => it.mediaType.split(".").at(-1)),
      ["tar", "gzip", "tar"]
    )
  })

  it("drops what is listed twice in a row, the newer one", () => {
    const repeated = { id: idOf(0), parent: undefined }
    const image = Result.getOrThrow(read([
      { layer: a, says: { author: "older" } },
      { layer: b, says: { ...repeated, parent: idOf(7), author: "newer" } },
      { layer: b, says: { parent: idOf(0) } }
    ]))
    assert.deepStrictEqual(image.layers.map(({ blob, entry }) => [blob, entry.image.author]), [
      [a.digest, "older"],
      [b.digest, undefined]
    ])
  })

  it.each([
    ["2016-01-02T03:04:05.120300000Z", "2016-01-02T03:04:05.1203Z"],
    ["2016-01-02T03:04:05.000Z", "2016-01-02T03:04:05Z"],
    ["2016-02-29T23:59:59+00:00", "2016-02-29T23:59:59Z"],
    ["2016-01-02T03:04:05-07:30", "2016-01-02T03:04:05-07:30"],
    [null, "0001-01-01T00:00:00Z"],
    ["2015-02-29T00:00:00Z", undefined],
    ["2016-13-01T00:00:00Z", undefined],
    ["2016-01-01T24:00:00Z", undefined],
    ["yesterday", undefined],
    [5, undefined]
  ])("writes the time %j as Go does: %s", (created, expected) => {
    const result = read([{ layer: a, says: { created } }])
    assert.strictEqual(Result.isSuccess(result) ? result.success.layers[0]?.entry.created : undefined, expected)
  })
})

describe("schema 1 that is not taken", () => {
  it.each<[string, ReadonlyArray<Schema1Step>, Schema1Options, RegExp]>([
    ["another version", [{ layer: a }], { more: { schemaVersion: 2 } }, /not what Docker's schema 1 says/],
    ["no layers", [], {}, /0 layers and 0 entries/],
    ["fewer entries than layers", [{ layer: a }], { more: { history: [] } }, /1 layers and 0 entries/],
    ["a digest that is none", [{ layer: a }], { more: { fsLayers: [{ blobSum: "sha256:../../x" }] } }, /not what/],
    [
      "an entry that is no JSON",
      [{ layer: a }],
      { more: { history: [{ v1Compatibility: "{" }] } },
      /what docker wrote/
    ],
    ["an entry of another kind", [{ layer: a, says: { config: "x" } }], {}, /what docker wrote/],
    ["an id that is none", [{ layer: a, says: { id: "../x" } }], {}, /no valid id/],
    ["no id", [{ layer: a, says: { id: undefined } }], {}, /no valid id/],
    ["a base with a parent", [{ layer: a, says: { parent: idOf(5) } }], {}, /stands on one that is not there/],
    ["a broken chain", [{ layer: a }, { layer: b, says: { parent: idOf(5) } }], {}, /does not stand on the one below/],
    ["an id that comes back", [{ layer: a }, { layer: b }, { layer: a, says: { id: idOf(0) } }], {}, /appears twice/],
    [
      "more layers than any image has",
      Array.from({ length: 501 }, () => ({ layer: a })),
      {},
      /501 layers; at most 500/
    ],
    [
      "an entry of more than a mebibyte",
      [{ layer: a, says: { comment: "x".repeat(1_048_576) } }],
      {},
      /more than 1048576/
    ]
  ])("for %s", (_, steps, options, expected) => {
    assert.match(problem(steps, options), expected)
  })

  it("for a config of more than 4 MiB", () => {
    // each entry is small enough; the history that is made of them is not
    const steps = Array.from({ length: 9 }, () => ({ layer: a, says: { comment: "<".repeat(100_000) } }))
    const image = Result.getOrThrow(read(steps))
    const result = convertSchema1(image, new Map([[a.digest, holding(a.digest)]]))
    assert.match(Result.isFailure(result) ? result.failure : "taken", /more than 4194304/)
  })
})

describe("what is signed", () => {
  it("counts, and not what stands behind it", () => {
    const image = schema1Image([{ layer: a }])
    const text = image.root.bytes.toString()
    // another layer, added outside of what the digest is taken of
    const forged = text.replace(",\n   \"signatures\"", `,"fsLayers":[{"blobSum":"${b.digest}"}],\n   "signatures"`)
    assert.notStrictEqual(forged, text)
    assert.deepStrictEqual(layersOf(Result.getOrThrow(readSchema1(Buffer.from(forged)))), [a.digest])
  })

  it("converts to the same, signed or not, by whomever", () => {
    const bytes = [
      schema1Image([{ layer: a }]),
      schema1Image([{ layer: a }], { unsigned: true }),
      schema1Image([{ layer: a }], { signatures: 3 })
    ].map(({ root }) => {
      const image = Result.getOrThrow(readSchema1(root.bytes))
      const { manifest } = Result.getOrThrow(convertSchema1(image, new Map([[a.digest, holding(a.digest)]])))
      return Buffer.from(manifest).toString()
    })
    assert.strictEqual(new Set(bytes).size, 1)
  })
})

const Loose = Schema.Union([
  Schema.String,
  Schema.Finite,
  Schema.Null,
  Schema.Boolean,
  Schema.Array(Schema.String),
  Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Null, Schema.Finite]))
])
const says = Schema.Struct({
  config: Schema.optionalKey(Loose),
  container_config: Schema.optionalKey(Loose),
  docker_version: Schema.optionalKey(Schema.Union([Schema.Literals(["1.2", "17.3"]), Loose])),
  author: Schema.optionalKey(Loose),
  os: Schema.optionalKey(Loose),
  throwaway: Schema.optionalKey(Schema.Union([Schema.Boolean, Loose])),
  more: Schema.optionalKey(Loose)
})

describe("on any input", () => {
  it.prop("a verdict, and the same bytes twice, whose config names what they are of", [
    Schema.Array(Schema.Struct({ first: Schema.Boolean, empty: Schema.Boolean, says }))
  ], ([drawn]) => {
    const steps = drawn.map(({ first, says: it }) => ({ layer: first ? a : b, says: it }))
    const once = () => {
      const image = read(steps)
      if (Result.isFailure(image)) return image.failure
      const contents = new Map([a, b].map((it) => [it.digest, holding(it.digest, { empty: drawn[0]?.empty === true })]))
      const result = convertSchema1(image.success, contents)
      if (Result.isFailure(result)) return result.failure
      const { config, manifest } = result.success
      const parsed = JSON.parse(Buffer.from(config).toString())
      const { layers } = JSON.parse(Buffer.from(manifest).toString())
      assert.strictEqual(parsed.rootfs.diff_ids.length, layers.length)
      assert.strictEqual(parsed.history.filter((it: object) => !("empty_layer" in it)).length, layers.length)
      assert.strictEqual(typeof parsed.os === "string" && typeof parsed.architecture === "string", true)
      return Buffer.concat([config, manifest]).toString()
    }
    assert.strictEqual(once(), once())
  }, { arbitrary: { runs: 300 } })

  it.prop("no crash over what is hardly JSON", [Schema.String, Schema.String], ([text, entry]) => {
    const json = `{"schemaVersion":1,"fsLayers":[{"blobSum":"${a.digest}"}],"history":[{"v1Compatibility":${
      JSON.stringify(entry)
    }}]}`
    for (const it of [text, json, json.slice(0, -text.length)]) {
      assert.isTrue(Result.isFailure(readSchema1(Buffer.from(it))))
    }
  }, { arbitrary: { runs: 200 } })
})
