import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { CloneError } from "../../../src/clone/CloneError.ts"
import { FailedMoves } from "../../../src/controller/images/FailedMoves.ts"
import { digestOf } from "../../support/Objects.ts"

const source = "docker.io/library/nginx:1.27"
const [one, two] = [digestOf("a"), digestOf("b")]

const failure = (given: Partial<CloneError> = {}) =>
  new CloneError({
    image: source,
    reason: "corrupt",
    side: "source",
    detail: "other bytes",
    retryable: true,
    retryAfter: undefined,
    ...given
  })

const minutes = ({ rest }: ReturnType<FailedMoves["failed"]>) => Duration.toMinutes(rest)

describe("what a tag has moved to and could not be copied", () => {
  it("rests from ten minutes to six hours", () => {
    const moves = new FailedMoves()
    const rests = Array.from({ length: 8 }, () => minutes(moves.failed(source, one, failure(), 0)))
    assert.deepStrictEqual(rests, [10, 20, 40, 80, 160, 320, 360, 360])
  })

  it("rests as long as its registry says, if that is longer", () => {
    const moves = new FailedMoves()
    assert.strictEqual(minutes(moves.failed(source, one, failure({ retryAfter: Duration.hours(2) }), 0)), 120)
  })

  it("rests ten minutes each time where the backup refuses it: whoever mends that waits for it", () => {
    const moves = new FailedMoves()
    const refused = failure({ side: "backup", reason: "denied" })
    assert.deepStrictEqual([1, 2, 3].map(() => minutes(moves.failed(source, one, refused, 0))), [10, 10, 10])
  })

  it("is known until the digest or the reason is another", () => {
    const moves = new FailedMoves()
    const known = (digest: typeof one, error: CloneError) => moves.failed(source, digest, error, 0).isKnown
    const other = failure({ reason: "too-large" })
    assert.deepStrictEqual([known(one, failure()), known(one, failure()), known(one, other), known(two, other)], [
      false,
      true,
      false,
      false
    ])
  })

  it("is left alone for that time, which holds for no other digest, and not when it is forgotten", () => {
    const moves = new FailedMoves()
    moves.failed(source, one, failure(), 1_000)
    const rests = (now: number) => [moves.restOf(source, one, now), moves.restOf(source, two, now)]
    assert.deepStrictEqual([rests(1_000), rests(601_000), rests(900_000)], [[600_000, 0], [0, 0], [0, 0]])
    moves.forget(source)
    assert.deepStrictEqual(rests(1_000), [0, 0])
  })
})
