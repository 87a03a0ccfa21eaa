// FollowCopy: an image while another replica copies: what that one has copied is found in the backup, sooner or later, so that
// admission knows it here too, and nothing has to be looked at anew when this replica comes to lead.
import { Duration, Effect, Result } from "effect"
import { Cloner } from "../../clone/Cloner.ts"
import { Leadership } from "../../kube/lease/Leadership.ts"
import { Inventory, referenceOf } from "../../store/Inventory.ts"
import { isHint } from "../admission/CloneHints.ts"
import { ImageQueue } from "../Queues.ts"
import { makeBecome } from "./FailedImages.ts"

/** How soon it is looked for again, twice as long each time: what nobody can copy is never found. */
const first = Duration.seconds(30)
const longest = Duration.minutes(10)

/** Makes the function that looks whether an image is in the backup now. */
export const make = Effect.gen(function*() {
  const cloner = yield* Cloner
  const images = yield* ImageQueue
  const become = yield* makeBecome

  const inventory = yield* Inventory
  const { mayWrite } = yield* Leadership
  const looks = new Map<string, number>()

  /** Whether this replica copies it. What only hints of its own want nobody else knows of, and copies may be made twice. */
  const mayCopy = (source: string): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      const users = [...inventory.get(source)?.users ?? []]
      return users.length > 0 && users.every(isHint) ? Effect.succeed(true) : mayWrite
    })

  const later = (source: string) =>
    Effect.suspend(() => {
      const before = looks.get(source) ?? 0
      looks.set(source, before + 1)
      const wait = Duration.min(Duration.times(first, 2 ** Math.min(before, 10)), longest)
      return images.offerAfter(source, wait)
    })

  const follow = Effect.fnUntraced(function*(source: string) {
    const held = yield* Effect.result(cloner.recognise(yield* referenceOf(source)))
    // it is called when it can be looked at
    if (Result.isFailure(held)) return
    if (held.success === undefined) return yield* later(source)
    looks.delete(source)
    yield* become(source, { _tag: "BackedUp", ...held.success })
  })
  return { mayCopy, follow, later, forget: (source: string) => void looks.delete(source) }
})
