// A registry that dies at every request of a copy in turn, source or backup, whichever is asked the n-th question, for every
// n. It is back for the next copy, which knows nothing of the first; or at once, and then the same copy must get by.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Scope } from "effect"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { Cloner } from "../../src/clone/Cloner.ts"
import { startFakeRegistry } from "../support/FakeRegistry.ts"
import type { Side, Stroke } from "../support/Gateway.ts"
import { distribution3, startRegistry } from "../support/RealRegistry.ts"
import { clonerLayer } from "../support/Registries.ts"
import { atEveryRequest, type Broken, moments, startWatched, type Watched } from "./Interruptions.ts"
import { image, imageTags, listTag, pushSigned, signature, signatures } from "./SignedImage.ts"
import { assertBackup, memoryOf, storageOf } from "./Wholeness.ts"

/** Two registries with a gateway before them, the backup empty. */
interface Place {
  readonly gateway: Watched
  /** The registry behind the gateway is no more; what it has stored is. */
  readonly die: (side: Side) => void
  readonly comeBack: (side: Side) => Effect.Effect<void>
}

/** Registries that become such a place over and over again. */
interface Registries {
  readonly emptied: Effect.Effect<Place, never, Scope.Scope>
}

interface Kind {
  readonly name: string
  readonly skipped: boolean
  readonly start: Effect.Effect<Registries, never, Scope.Scope>
}

/** The backup dies by SIGKILL and starts anew over its files; the source loses its connections. */
const real: Kind = {
  name: "of Distribution 3",
  skipped: distribution3.path === undefined,
  start: Effect.gen(function*() {
    const source = yield* startRegistry(distribution3)
    yield* pushSigned(source.origin)
    let backup = yield* startRegistry(distribution3)
    const scope = yield* Effect.scope
    const emptied: Registries["emptied"] = Effect.gen(function*() {
      yield* Effect.promise(() => rm(join(backup.directory, "data"), { recursive: true, force: true }))
      const storage = storageOf(backup)
      const gateway = yield* startWatched({ source: source.host, backup: backup.host }, () => storage)
      return {
        gateway,
        die: (side) => {
          if (side === "backup") void backup.kill()
          gateway.cut(side)
        },
        comeBack: Effect.fnUntraced(function*(side) {
          if (side === "backup") {
            yield* Effect.promise(backup.kill)
            backup = yield* Scope.provide(startRegistry(distribution3, { over: backup }), scope)
          }
          gateway.mend(side, side === "backup" ? backup.host : source.host)
        })
      }
    })
    return { emptied }
  })
}

/** One that checks nothing: a tag before its blobs would be stored. */
const careless: Kind = {
  name: "that take whatever they are given",
  skipped: false,
  start: Effect.succeed({
    emptied: Effect.gen(function*() {
      const source = yield* startFakeRegistry()
      const backup = yield* startFakeRegistry()
      source.add("app", image, "1")
      source.add("app", signature)
      source.add("app", signatures, listTag)
      const gateway = yield* startWatched(
        { source: source.host, backup: backup.host },
        (repository) => memoryOf(backup, repository, [...imageTags, listTag])
      )
      return { gateway, die: gateway.cut, comeBack: (side) => Effect.sync(() => gateway.mend(side)) }
    })
  })
}

/** A copy by a cloner that has just started. */
const clone = ({ backup, source }: Watched) =>
  Effect.flatMap(Cloner, (it) => it.clone({ registry: source, repository: "app", tag: "1" })).pipe(
    Effect.provide(clonerLayer({ backup, plainHttp: [source, backup], referrers: true })),
    Effect.result
  )

const verdict = Effect.fnUntraced(function*(gateway: Watched, side: Side | undefined, where: string) {
  yield* gateway.idle
  gateway.judge()
  assert.deepStrictEqual([...gateway.wrong], [], where)
  // an image whose signature cannot be read is a backup all the same
  if (side !== "source") assert.deepStrictEqual([...gateway.unsigned], [], where)
  assertBackup(gateway.storage, gateway.into)
  assert.strictEqual(new Set(gateway.stored).size, gateway.stored.length, where)
})

const died = Effect.fnUntraced(function*({ emptied }: Registries, stroke: Omit<Stroke, "act">) {
  const { comeBack, die, gateway } = yield* emptied
  gateway.arm({ ...stroke, act: die })
  const first = yield* clone(gateway)
  yield* gateway.idle
  gateway.judge()
  const broken: Broken = { struck: gateway.struck(), requests: [...gateway.passed] }
  const side = broken.struck?.side
  const where = `${stroke.moment} ${side} ${broken.struck?.method} ${broken.struck?.url}`
  // all that a dead source may leave out is the signature
  assert.isTrue(Result.isFailure(first) || side !== "backup", where)
  if (Result.isFailure(first)) {
    const { reason, retryable } = first.failure
    assert.deepStrictEqual(
      [first.failure.side, reason, retryable],
      [side, "unavailable", true],
      `${where}: ${first.failure.message}`
    )
  }

  gateway.arm(undefined)
  if (side !== undefined) yield* comeBack(side)
  const next = yield* clone(gateway)
  assert.strictEqual(Result.isSuccess(next) ? next.success.digest : next.failure.message, image.root.digest, where)
  yield* verdict(gateway, side, where)
  return broken
}, Effect.scoped)

const stumbled = Effect.fnUntraced(
  function*({ emptied }: Registries, stroke: Omit<Stroke, "act">) {
    const { gateway } = yield* emptied
    gateway.arm({
      ...stroke,
      act: (side) => {
        gateway.cut(side)
        gateway.mend(side)
      }
    })
    const copied = yield* clone(gateway)
    const broken: Broken = { struck: gateway.struck(), requests: [...gateway.passed] }
    const where = `${stroke.moment} ${broken.struck?.side} ${broken.struck?.method} ${broken.struck?.url}`
    assert.strictEqual(
      Result.isSuccess(copied) ? copied.success.digest : copied.failure.message,
      image.root.digest,
      where
    )
    yield* verdict(gateway, undefined, where)
    return broken
  },
  Effect.scoped
)

for (const kind of [real, careless]) {
  describe.skipIf(kind.skipped)(`a copy between registries ${kind.name}`, () => {
    for (const [name, stroke] of moments) {
      it.live(`one of which dies ${name} is completed by the next, and nothing is tagged before it is whole`, () =>
        atEveryRequest(stroke, kind.start, died))

      it.live(`one of which loses all connections ${name} goes on by itself`, () =>
        atEveryRequest(stroke, kind.start, stumbled))
    }
  })
}
