// A backup behind nginx as Debian has it, which takes requests of so many bytes and no more: what is sent then, and what is said.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { Cloner } from "../../src/clone/Cloner.ts"
import { nginx, startNginx } from "../support/Nginx.ts"
import { pushImage } from "../support/PushImage.ts"
import { distribution2, distribution3, startRegistry, storedBlob } from "../support/RealRegistry.ts"
import { clonerLayer } from "../support/Registries.ts"
import { imageOf, layerOf } from "../support/TestImages.ts"

const large = imageOf([layerOf("large", 9_000_000), layerOf("larger", 3_000_000), layerOf("small", 1000)])

/** Clones `app:1` into a Distribution behind nginx with these lines in its configuration. */
const cloneBehind = Effect.fnUntraced(function*(program: typeof distribution3, lines: ReadonlyArray<string>) {
  const source = yield* startRegistry(program)
  const backup = yield* startRegistry(program)
  yield* pushImage({ origin: source.origin, repository: "app", tag: "1" }, large)
  const front = yield* startNginx(backup, lines)
  const outcome = yield* Effect.flatMap(
    Cloner,
    (cloner) => Effect.result(cloner.clone({ registry: source.host, repository: "app", tag: "1" }))
  ).pipe(Effect.provide(clonerLayer({ backup: front.host, plainHttp: [source.host, front.host] })))
  const log = yield* front.log
  const stored = yield* Effect.forEach(
    large.blobs,
    ({ bytes, digest }) =>
      Effect.map(
        Effect.option(Effect.catchDefect(storedBlob(backup, digest), () => Effect.fail("none"))),
        (it) => it._tag === "Some" && it.value.equals(bytes)
      )
  )
  return { outcome, log, stored }
})

const refusals = (log: ReadonlyArray<string>) => log.filter((it) => / 413 \d+$/.test(it)).length

describe.runIf(nginx !== undefined && distribution2.path !== undefined && distribution3.path !== undefined)(
  "nginx before a registry",
  () => {
    it.live.each([distribution2, distribution3])(
      "that takes 1 MiB gets chunks that pass: $name",
      (program) =>
        Effect.gen(function*() {
          const { log, outcome, stored } = yield* cloneBehind(program, ["client_max_body_size 1m;"])
          if (Result.isFailure(outcome)) return assert.fail(outcome.failure.message)
          assert.deepStrictEqual(outcome.success.blobs, { uploaded: large.blobs.length, mounted: 0, present: 0 })
          assert.isTrue(stored.every((it) => it))
          // what passes is learnt once, and not by every blob and chunk anew
          assert.isAtMost(refusals(log), 2 * 2)
          assert.isAtLeast(log.filter((it) => /^PATCH .* 202 /.test(it)).length, 12)
        }).pipe(Effect.scoped)
    )

    it.live("that takes less than the least chunk: said so, with what is to be changed, and nothing is tagged", () =>
      Effect.gen(function*() {
        const { log, outcome } = yield* cloneBehind(distribution3, ["client_max_body_size 100k;"])
        if (Result.isSuccess(outcome)) return assert.fail("was copied")
        const { message, reason, retryable, side } = outcome.failure
        assert.deepStrictEqual([reason, side, retryable], ["denied", "backup", false])
        for (const text of ["413 Request Entity Too Large", "client_max_body_size"]) assert.include(message, text)
        assert.isFalse(log.some((it) => /^PUT \S+\/manifests\//.test(it)))
      }).pipe(Effect.scoped))
  }
)
