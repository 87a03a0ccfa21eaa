import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Semaphore } from "effect"
import type { BlobContext } from "../../../src/clone/blob/BlobContext.ts"
import { makeMounts } from "../../../src/clone/blob/Mounts.ts"
import { Counter } from "../../../src/clone/Counter.ts"
import { makeLedger } from "../../../src/clone/Ledger.ts"
import { digestOf } from "../../../src/image/Digest.ts"
import { anonymous } from "../../../src/registry/auth/Identities.ts"
import type { Upload } from "../../../src/registry/api/Upload.ts"
import { defaultLimits } from "../../../src/registry/Limits.ts"

const backup = { registry: "b.example", repository: "mirror/app" }
const blob = { mediaType: "x", digest: digestOf(Buffer.from("x")), size: 1, foreign: false }
const sessionOf = (name: string): Upload => ({
  repository: backup,
  location: new URL(`https://b.example/${name}`),
  chunkMin: 0,
  by: anonymous
})

/** Mounts at a backup that answers each neighbour so, with what it was asked; undefined: no mount and no session. */
const at = (answers: Readonly<Record<string, "mounted" | Upload>>) =>
  Effect.map(Clock.Clock, (clock) => {
    const ledger = makeLedger(clock)
    const asked: Array<string> = []
    const context: BlobContext = {
      image: "s.example/app:1",
      registry: {
        hasBlob: () => Effect.succeed(false),
        headBlob: () => Effect.never,
        mountBlob: (_, __, { repository }) =>
          Effect.sync(() => {
            asked.push(repository)
            return answers[repository]
          }),
        startUpload: () => Effect.never,
        cancelUpload: ({ location }) => Effect.sync(() => void asked.push(`end ${location.pathname}`)),
        putBlob: () => Effect.never,
        openBlob: () => Effect.never
      },
      limits: defaultLimits,
      ledger,
      source: { registry: "s.example", repository: "app" },
      backup,
      counter: new Counter(),
      slots: Semaphore.makeUnsafe(1)
    }
    return { asked, ledger, mounts: makeMounts(context, blob) }
  })

describe("a blob that neighbours hold", () => {
  it.effect("is mounted from the first that lets it, and is known to be there and mountable from then on", () =>
    Effect.gen(function*() {
      const { asked, ledger, mounts } = yield* at({ two: "mounted" })
      for (const it of ["mirror/app", "two", "one"]) ledger.noteBlob(it, blob.digest)
      ledger.forgetBlob("mirror/app", blob.digest)
      assert.isTrue(yield* mounts.mount)
      assert.deepStrictEqual(asked, ["one", "two"])
      assert.deepStrictEqual(ledger.holders(blob.digest), ["mirror/app", "two"])
      assert.isTrue(ledger.mounting)
    }))

  it.effect("is asked of two at a time, of each once, and of whoever has come to hold it since", () =>
    Effect.gen(function*() {
      const { asked, ledger, mounts } = yield* at({})
      for (const it of ["three", "two", "one"]) ledger.noteBlob(it, blob.digest)
      assert.isFalse(yield* mounts.mount)
      assert.deepStrictEqual(asked, ["one", "two"])
      assert.isTrue(mounts.more())
      ledger.noteBlob("one", blob.digest)
      assert.isFalse(yield* mounts.mount)
      assert.deepStrictEqual(asked, ["one", "two", "three"])
      assert.isFalse(mounts.more())
    }))

  it.effect("leaves at most one session, the last that a mount has opened, to whoever takes it", () =>
    Effect.gen(function*() {
      const { asked, ledger, mounts } = yield* at({ one: sessionOf("u1"), two: sessionOf("u2") })
      for (const it of ["two", "one"]) ledger.noteBlob(it, blob.digest)
      assert.isFalse(yield* mounts.mount)
      assert.deepStrictEqual(asked, ["one", "two", "end /u1"])
      assert.strictEqual(mounts.session()?.location.pathname, "/u2")
      assert.isUndefined(mounts.session())
    }))
})
