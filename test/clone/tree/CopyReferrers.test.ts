// Signatures, SBOMs and attestations: found in every way that registries have, there before the tag, never in the way.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Metric } from "effect"
import { Cloner } from "../../../src/clone/Cloner.ts"
import { ociIndex } from "../../../src/image/ManifestDocument.ts"
import * as Metrics from "../../../src/telemetry/Metrics.ts"
import { type FakeRegistry, refuse } from "../../support/FakeRegistry.ts"
import { clonerLayer } from "../../support/Registries.ts"
import { imageOf, indexOf, layerOf, manifestOf, type TestImage } from "../../support/TestImages.ts"
import { assertWhole, betweenRegistries, image, index, protection, pushes } from "../../support/SourceAndBackup.ts"

/** A signature of something. */
const refersTo = (subject: TestImage, seed: string) =>
  imageOf([layerOf(seed, 500)], {
    more: {
      artifactType: "application/vnd.example.signature",
      subject: { mediaType: subject.root.mediaType, digest: subject.root.digest, size: subject.root.bytes.length }
    }
  })

const described = (referrer: TestImage) => ({
  mediaType: referrer.root.mediaType,
  digest: referrer.root.digest,
  size: referrer.root.bytes.length,
  artifactType: "application/vnd.example.signature",
  annotations: { "org.example.by": "test" }
})

const listOf = (...referrers: ReadonlyArray<TestImage>) => ({
  schemaVersion: 2,
  mediaType: ociIndex,
  manifests: referrers.map(described)
})

/** The API's answer for one subject; empty lists for all others. */
const api = (registry: FakeRegistry, lists: ReadonlyMap<string, object>) =>
  registry.on(/GET .*\/referrers\//, (seen, response) => {
    response.writeHead(200, { "content-type": ociIndex })
    response.end(JSON.stringify(lists.get(seen.path.split("/").at(-1) ?? "") ?? listOf()))
  })

const fallback = (subject: TestImage) => subject.root.digest.replace(":", "-")
const listed = (registry: FakeRegistry, repository: string, subject: TestImage) =>
  JSON.parse(registry.manifest(repository, fallback(subject))?.toString() ?? "{}").manifests

const signature = refersTo(image, "signature")
const wanted = { referrers: true }

describe("referrers", () => {
  it.live("by the API are there before the tag, listed by the fallback tag where the backup has no API", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        source.add("app", signature)
        api(source, new Map([[image.root.digest, listOf(signature)]]))
        yield* clone()
        assertWhole(backup, into, image)
        assertWhole(backup, into, signature)
        assert.deepStrictEqual(listed(backup, into, image), [described(signature)])
        const order = pushes(backup)
        for (const before of [signature.root.digest, fallback(image)]) {
          assert.isBelow(order.indexOf(before), order.indexOf(protection(image.root.digest)), before)
        }
        // once complete they are not looked for again
        source.forget()
        yield* clone()
        assert.strictEqual(source.count(/referrers|sha256-/), 0)
      }), wanted))

  it.live("are no business of ours if the backup lists them itself", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        source.add("app", signature)
        api(source, new Map([[image.root.digest, listOf(signature)]]))
        api(backup, new Map([[image.root.digest, listOf(signature)]]))
        yield* clone()
        assertWhole(backup, into, signature)
        assert.isUndefined(backup.manifest(into, fallback(image)))
      }), wanted))

  it.live("by the fallback tag are added to what the backup lists", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        const mine = refersTo(image, "mine")
        const asList = (it: TestImage): TestImage => {
          const root = manifestOf(ociIndex, listOf(it))
          return { root, manifests: [...it.manifests, root], blobs: it.blobs, configs: it.configs }
        }
        source.add("app", image, "1")
        source.add("app", asList(signature), fallback(image))
        backup.add(into, asList(mine), fallback(image))
        yield* clone()
        assertWhole(backup, into, signature)
        assert.deepStrictEqual(listed(backup, into, image), [described(mine), described(signature)])
      }), wanted))

  it.live("come over several pages, of the same registry only", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        const all = [signature, refersTo(image, "second"), refersTo(image, "third")]
        source.add("app", image, "1")
        for (const it of all) source.add("app", it)
        source.on(/GET .*\/referrers\//, (seen, response) => {
          const page = Number(seen.query.get("page") ?? 0)
          const one = all[page]
          const next = page === 0 ? `${seen.path}?page=1` : `http://127.0.0.1:1${seen.path}?page=2`
          response.writeHead(200, { "content-type": ociIndex, link: `<${next}>; rel="next"` })
          response.end(JSON.stringify(one === undefined ? listOf() : listOf(one)))
        })
        yield* clone()
        assert.isDefined(backup.manifest(into, all[0]?.root.digest ?? ""))
        assert.isDefined(backup.manifest(into, all[1]?.root.digest ?? ""))
        assert.isUndefined(backup.manifest(into, all[2]?.root.digest ?? ""))
      }), wanted))

  it.live("of referrers come too, three deep, in circles once", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        const chain = [image]
        for (let at = 0; at < 4; at++) chain.push(refersTo(chain[at] ?? image, `deep ${at}`))
        for (const it of chain) source.add("app", it)
        source.add("app", image, "1")
        const lists = new Map(
          chain.map((it, at) => [it.root.digest, listOf(chain[at + 1] ?? image, image)] as const)
        )
        api(source, lists)
        yield* clone()
        assert.deepStrictEqual(
          chain.map((it) => backup.manifest(into, it.root.digest) !== undefined),
          [true, true, true, true, false]
        )
      }), wanted))

  it.live("of an index's platforms come too", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", index, "1")
        source.add("app", signature)
        api(source, new Map([[image.root.digest, listOf(signature)]]))
        yield* clone()
        assertWhole(backup, into, signature)
      }), wanted))

  it.live("are limited in number", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        const many = Array.from({ length: 130 }, (_, at) => refersTo(image, `many ${at}`))
        source.add("app", image, "1")
        for (const it of many) source.add("app", it)
        api(source, new Map([[image.root.digest, listOf(...many)]]))
        yield* clone()
        assert.strictEqual(many.filter((it) => backup.manifest(into, it.root.digest) !== undefined).length, 100)
      }), wanted))

  it.live.each<[string, (registry: FakeRegistry) => void]>([
    ["404", () => {}],
    ["400", (it) => it.on(/referrers/, (_, response) => refuse(response, 400, "UNSUPPORTED"))],
    ["406", (it) => it.on(/referrers/, (_, response) => refuse(response, 406, "UNSUPPORTED"))],
    ["a web page", (it) =>
      it.on(/referrers/, (_, response) => {
        response.writeHead(200, { "content-type": "text/html" }).end("<html>")
      })],
    ["a redirect to a web page elsewhere", (it) =>
      it.on(/referrers/, (_, response) => {
        response.writeHead(303, { location: "http://127.0.0.1:1/login" }).end()
      })]
  ])(
    "are looked for by tag where the API answers %s, which is remembered",
    ([, answer]) =>
      betweenRegistries(({ backup, clone, into, source }) =>
        Effect.gen(function*() {
          source.add("app", index, "1")
          const root = manifestOf(ociIndex, listOf(signature))
          source.add("app", signature)
          source.add("app", { root, manifests: [root], blobs: [], configs: [] }, fallback(image))
          answer(source)
          yield* clone()
          assertWhole(backup, into, index)
          assertWhole(backup, into, signature)
          assert.strictEqual(source.count(/\/referrers\//), 1)
        }), wanted)
  )

  it.live.each<[string, (source: FakeRegistry, backup: FakeRegistry) => void]>([
    ["cannot be listed", (source) => source.on(/referrers/, (_, response) => refuse(response, 500, "UNKNOWN"))],
    ["are listed in nonsense", (source) =>
      source.on(/referrers/, (_, response) => {
        response.writeHead(200, { "content-type": ociIndex }).end("{\"manifests\": [{\"digest\": \"../../x\"}]}")
      })],
    ["are listed and not there", (source) => source.remove("app", signature.root.digest)],
    [
      "are not wanted by the backup",
      (_, backup) =>
        backup.on(
          new RegExp(`PUT .*${signature.root.digest}`),
          (_request, response) => refuse(response, 400, "MANIFEST_INVALID")
        )
    ]
  ])(
    "that %s are a warning and a count; the image is a backup",
    ([, spoil]) =>
      betweenRegistries(({ backup, clone, into, source }) =>
        Effect.gen(function*() {
          source.add("app", image, "1")
          source.add("app", signature)
          api(source, new Map([[image.root.digest, listOf(signature)]]))
          spoil(source, backup)
          const failed = Metrics.referrers({ result: "failed" })
          const before = (yield* Metric.value(failed)).count
          const copied = yield* clone()
          assert.strictEqual(copied.digest, image.root.digest)
          assertWhole(backup, into, image)
          assert.isDefined(backup.manifest(into, "1"))
          assert.strictEqual((yield* Metric.value(failed)).count, before + 1)
        }), wanted)
  )

  it.live("that came after the copy are fetched when it is looked at again, and nothing else is", () =>
    betweenRegistries((from) =>
      Effect.gen(function*() {
        const { backup, into, source } = from
        const [later, ofLater, sbom] = [
          refersTo(image, "later"),
          refersTo(refersTo(image, "later"), "of"),
          imageOf([
            layerOf("sbom", 300)
          ])
        ]
        source.add("app", image, "1")
        for (const it of [signature, later, ofLater]) source.add("app", it)
        const lists = new Map([[image.root.digest, listOf(signature)]])
        api(source, lists)
        // the backup has the API too, and lists what it holds
        backup.on(/GET .*\/referrers\//, (seen, response) => {
          const held = seen.path.endsWith(image.root.digest)
            ? [signature, later].filter((it) => backup.manifest(into, it.root.digest) !== undefined)
            : []
          response.writeHead(200, { "content-type": ociIndex }).end(JSON.stringify(listOf(...held)))
        })
        yield* from.clone()
        lists.set(image.root.digest, listOf(signature, later))
        lists.set(later.root.digest, listOf(ofLater))
        source.add("app", sbom, `${fallback(image)}.sbom`)
        // in the same run it has been looked at a moment ago
        source.forget()
        yield* from.clone()
        assert.strictEqual(source.count(/referrers|sha256-/), 0)
        backup.forget()
        const again = Effect.flatMap(
          Cloner,
          (it) => it.clone({ registry: source.host, repository: "app", tag: "1" })
        ).pipe(
          Effect.provide(
            clonerLayer({ backup: backup.host, plainHttp: [source.host, backup.host], referrers: true })
          )
        )
        const copied = yield* again
        assert.strictEqual(copied.upToDate, true)
        for (const it of [later, ofLater, sbom]) assertWhole(backup, into, it)
        // what the backup lists is there
        const signed = new RegExp(`GET .*/manifests/${signature.root.digest}`)
        assert.deepStrictEqual([source.count(signed), backup.count(signed)], [0, 0])
        assert.strictEqual(backup.count(new RegExp(`PUT .*/manifests/(${image.root.digest}|1)$`)), 0)
      }), wanted))

  it.live("that came after the copy are not asked for where the backup's tag is believed: one HEAD to each side", () =>
    betweenRegistries((from) =>
      Effect.gen(function*() {
        const { backup, source } = from
        source.add("app", image, "1")
        api(source, new Map([[image.root.digest, listOf()]]))
        yield* from.clone()
        source.forget()
        backup.forget()
        const options = {
          backup: backup.host,
          plainHttp: [source.host, backup.host],
          referrers: true,
          believeTags: true
        }
        const copied = yield* Effect.flatMap(
          Cloner,
          (it) => it.clone({ registry: source.host, repository: "app", tag: "1" })
        ).pipe(Effect.provide(clonerLayer(options)))
        assert.isTrue(copied.upToDate)
        assert.deepStrictEqual(
          [...source.seen, ...backup.seen].map((it) => `${it.method} ${it.path.split("/").at(-1)}`),
          ["HEAD 1", "HEAD 1"]
        )
      }), wanted))

  it.live("that could not be copied are tried again at the next look", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        api(source, new Map([[image.root.digest, listOf(signature)]]))
        yield* clone()
        assert.isUndefined(backup.manifest(into, signature.root.digest))
        source.add("app", signature)
        yield* clone()
        assertWhole(backup, into, signature)
      }), wanted))

  it.live("are left alone where COPY_REFERRERS is off", () =>
    betweenRegistries(({ clone, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        yield* clone()
        assert.strictEqual(source.count(/referrers|sha256-/), 0)
      }), { referrers: false }))
})

describe("cosign's tags", () => {
  it.live("are copied with what they name", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        source.add("app", image, "1")
        const tags = [["sig", imageOf([layerOf("sig", 300)])], ["att", imageOf([layerOf("att", 300)])]] as const
        for (const [suffix, it] of tags) source.add("app", it, `${fallback(image)}.${suffix}`)
        yield* clone()
        for (const [suffix, it] of tags) {
          const tag = `${fallback(image)}.${suffix}`
          assertWhole(backup, into, it)
          assert.isTrue(backup.manifest(into, tag)?.equals(it.root.bytes), tag)
          assert.isBelow(pushes(backup).indexOf(tag), pushes(backup).indexOf("1"))
        }
        assert.isUndefined(backup.manifest(into, `${fallback(image)}.sbom`))
      }), wanted))
})

describe("what refers to an image", () => {
  // each of its platforms was asked about five times, for the longest time, before the image got its tag
  it.live("is not waited for long where the source does not say", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        const wide = indexOf(
          Array.from({ length: 8 }, (_, at) => imageOf([layerOf(`platform ${at}`, 100)], { architecture: `a${at}` }))
        )
        source.add("app", wide, "1")
        source.add("app", image, "2")
        source.on(/\/referrers\//, () => {})
        yield* clone()
        yield* clone({ tag: "2" })
        assertWhole(backup, into, wide)
        assert.strictEqual(source.count(/referrers/), 1)
      }), { ...wanted, limits: { answerTimeout: Duration.millis(200) } }))

  it.live("is given up when its time is over, and looked for again at the next look", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        const failed = Metrics.referrers({ result: "failed" })
        const before = (yield* Metric.value(failed)).count
        source.add("app", image, "1")
        source.add("app", signature, `${fallback(image)}.sig`)
        // every subject has three tags, each of which would be asked for several times
        source.on(/HEAD .*\.(sig|att|sbom)$/, () => {}, 3)
        const [took] = yield* Effect.timed(clone())
        assert.isBelow(Duration.toMillis(took), 5000)
        assertWhole(backup, into, image)
        assert.isDefined(backup.manifest(into, "1"))
        assert.strictEqual((yield* Metric.value(failed)).count, before + 1)
        yield* clone()
        assertWhole(backup, into, signature)
      }), { ...wanted, limits: { answerTimeout: Duration.seconds(30), referrersTimeout: Duration.millis(500) } }))

  it.live("has to keep to the largest size of images, and the image is copied", () =>
    betweenRegistries(({ backup, clone, into, source }) =>
      Effect.gen(function*() {
        const large = imageOf([layerOf("large", 200_000)], {
          more: {
            artifactType: "application/vnd.example.signature",
            subject: { mediaType: image.root.mediaType, digest: image.root.digest, size: image.root.bytes.length }
          }
        })
        source.add("app", image, "1")
        source.add("app", large, `${fallback(image)}.sbom`)
        source.add("app", signature, `${fallback(image)}.sig`)
        yield* clone()
        assertWhole(backup, into, image)
        assertWhole(backup, into, signature)
        assert.isUndefined(backup.manifest(into, large.root.digest))
        assert.strictEqual(source.count(new RegExp(`GET .*${layerOf("large", 200_000).digest}`)), 0)
      }), { ...wanted, mostImageBytes: 100_000 }))
})
