// Signatures and SBOMs between real servers, in every pairing of one that lists referrers itself and one that leaves that to
// its clients: there before the tag, signed themselves, and found when they come later. Judged by what the servers say.
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { Cloner } from "../../../src/clone/Cloner.ts"
import { digestOf } from "../../../src/image/Digest.ts"
import * as EmbeddedRegistry from "../../../sandbox/registry/EmbeddedRegistry.ts"
import * as MediaTypes from "../../../sandbox/registry/MediaTypes.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import { client, putImage, putManifest, type Send } from "../../sandbox/registry/Servers.ts"
import { distribution3, startRegistry } from "../../support/RealRegistry.ts"
import { clonerLayer } from "../../support/Registries.ts"
import { protection } from "../../support/SourceAndBackup.ts"

const accept = { accept: [MediaTypes.ociIndex, MediaTypes.ociManifest].join(", ") }
const types = { signature: "application/vnd.dev.sigstore.bundle.v0.3+json", sbom: "application/spdx+json" }

const app = SampleImage.twoPlatforms("signed")
const signature = SampleImage.artifact(app.manifest, types.signature, "signature of the image")
const sbom = SampleImage.artifact(app.manifest, types.sbom, "sbom of the image", { "org.example.tool": "test" })
const ofSbom = SampleImage.artifact(sbom.manifest, types.signature, "signature of the sbom")
const later = SampleImage.artifact(app.manifest, types.signature, "signature that came later")
const ofLater = SampleImage.artifact(later.manifest, types.signature, "and its own")
const cosign = { sig: SampleImage.image("cosign signature"), att: SampleImage.image("cosign attestation") }

interface Kind {
  readonly name: string
  /** Does the server list referrers itself? */
  readonly lists: boolean
  readonly start: Effect.Effect<Started, never, Scope.Scope>
}

interface Started {
  readonly origin: string
  /** What manifests were pushed as, in order. */
  readonly pushed: Effect.Effect<ReadonlyArray<string>>
}

const embedded: Kind = {
  name: "the embedded registry",
  lists: true,
  start: Effect.map(Effect.orDie(EmbeddedRegistry.make()), ({ log, url }) => ({
    origin: url,
    pushed: Effect.sync(() =>
      log.entries().filter((it) => it.method === "PUT").flatMap((it) => /\/manifests\/(.+)$/.exec(it.path)?.[1] ?? [])
    )
  }))
}
const plain: Kind = {
  name: "Distribution 3",
  lists: false,
  start: Effect.map(startRegistry(distribution3), ({ log, origin }) => ({
    origin,
    // its access log has the lines that webservers have
    pushed: Effect.map(
      log,
      (lines) => lines.flatMap((it) => /"PUT \/v2\/\S+\/manifests\/(\S+) HTTP/.exec(it)?.[1] ?? [])
    )
  }))
}

const fallback = (digest: string) => digest.replace(":", "-")

const descriptorOf = ({ manifest }: SampleImage.Image, artifactType: string) => ({
  mediaType: manifest.mediaType,
  digest: manifest.digest,
  size: manifest.bytes.length,
  artifactType
})

/** Attaches artifacts to a subject as clients do: where the server does not list them, under the fallback tag. */
const attach = Effect.fnUntraced(function*(
  ask: Send,
  kind: Kind,
  subject: string,
  all: ReadonlyArray<readonly [SampleImage.Image, string]>
) {
  for (const [artifact] of all) yield* putImage(ask, "team/app", artifact)
  if (kind.lists) return
  const bytes = JSON.stringify({
    schemaVersion: 2,
    mediaType: MediaTypes.ociIndex,
    manifests: all.map(([artifact, type]) => descriptorOf(artifact, type))
  })
  yield* putManifest(ask, "team/app", fallback(subject), { mediaType: MediaTypes.ociIndex, bytes })
})

/** Digests that a server lists for a subject, by its API or the fallback tag. */
const listed = Effect.fnUntraced(function*(ask: Send, kind: Kind, repository: string, subject: string) {
  const path = kind.lists ? `referrers/${subject}` : `manifests/${fallback(subject)}`
  const answer = yield* ask("GET", `/v2/${repository}/${path}`, { headers: accept })
  if (answer.status === 404) return []
  const manifests: ReadonlyArray<{ readonly digest: string; readonly artifactType: string }> = answer.json().manifests
  return manifests.map((it) => it.digest).toSorted()
})

const scenario = (from: Kind, to: Kind) =>
  Effect.gen(function*() {
    const { origin: source } = yield* from.start
    const { origin: backup, pushed } = yield* to.start
    const [atSource, atBackup] = [client(source), client(backup)]
    const hostOf = (origin: string) => new URL(origin).host
    const into = `mirror/${hostOf(source).replace(":", "_")}/team/app`
    const subject = app.manifest.digest
    yield* putImage(atSource, "team/app", app, "1")
    yield* attach(atSource, from, subject, [[signature, types.signature], [sbom, types.sbom]])
    yield* attach(atSource, from, sbom.manifest.digest, [[ofSbom, types.signature]])
    for (const [suffix, it] of Object.entries(cosign)) {
      yield* putImage(atSource, "team/app", it, `${fallback(subject)}.${suffix}`)
    }

    // each time as a process of its own
    const clone = Effect.flatMap(
      Cloner,
      (it) => it.clone({ registry: hostOf(source), repository: "team/app", tag: "1" })
    ).pipe(
      Effect.provide(clonerLayer({
        backup: hostOf(backup),
        plainHttp: [hostOf(source), hostOf(backup)],
        referrers: true
      })),
      Effect.orDie
    )
    const held = (reference: string) =>
      Effect.map(atBackup("GET", `/v2/${into}/manifests/${reference}`, { headers: accept }), (it) => it.status === 200)

    assert.strictEqual((yield* clone).digest, subject)
    const digests = (...all: ReadonlyArray<SampleImage.Image>) => all.map((it) => it.manifest.digest).toSorted()
    assert.deepStrictEqual(yield* listed(atBackup, to, into, subject), digests(signature, sbom))
    assert.deepStrictEqual(yield* listed(atBackup, to, into, sbom.manifest.digest), digests(ofSbom))
    for (const artifact of [signature, sbom, ofSbom]) {
      assert.isTrue(yield* held(artifact.manifest.digest))
      for (const blob of artifact.blobs) {
        const got = yield* atBackup("GET", `/v2/${into}/blobs/${digestOf(blob)}`)
        assert.deepStrictEqual([got.status, Buffer.from(got.bytes)], [200, Buffer.from(blob)])
      }
    }
    for (const [suffix, it] of Object.entries(cosign)) {
      const answer = yield* atBackup("HEAD", `/v2/${into}/manifests/${fallback(subject)}.${suffix}`, {
        headers: accept
      })
      assert.strictEqual(answer.headers.get("docker-content-digest"), it.manifest.digest)
    }
    for (const tag of ["1", protection(subject)]) assert.isTrue(yield* held(tag), tag)

    const order = yield* pushed
    const first = (name: string) =>
      order.indexOf(name) === -1 ? assert.fail(`${name} was not pushed`) : order.indexOf(name)
    const tagged = Math.min(first("1"), first(protection(subject)))
    for (const it of [...digests(signature, sbom, ofSbom), `${fallback(subject)}.sig`]) {
      assert.isBelow(first(it), tagged)
    }
    if (!to.lists) assert.isBelow(first(fallback(subject)), tagged)

    // somebody signs the image after it was copied
    yield* attach(atSource, from, subject, [
      [signature, types.signature],
      [sbom, types.sbom],
      [later, types.signature]
    ])
    yield* attach(atSource, from, later.manifest.digest, [[ofLater, types.signature]])
    const again = yield* clone
    assert.deepStrictEqual([again.upToDate, again.digest], [true, subject])
    assert.deepStrictEqual(yield* listed(atBackup, to, into, subject), digests(signature, sbom, later))
    assert.deepStrictEqual(yield* listed(atBackup, to, into, later.manifest.digest), digests(ofLater))
  })

describe.skipIf(distribution3.path === undefined)("signatures and SBOMs", () => {
  for (const from of [embedded, plain]) {
    for (const to of [embedded, plain]) {
      it.live(`come from ${from.name} to ${to.name} before the tag, and later ones later`, () => scenario(from, to))
    }
  }
})
