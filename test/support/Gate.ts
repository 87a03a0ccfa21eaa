// A door before a fake registry: requests wait there until a test lets them through.
import { Effect } from "effect"
import type { FakeRegistry } from "./FakeRegistry.ts"
import { eventually } from "./Eventually.ts"

/** Answers requests only when told to: those for manifests, which only an image with a permit makes, or others. */
export const gate = (registry: FakeRegistry, requests = /GET .*manifests\/sha256:/) => {
  const waiting: Array<() => void> = []
  registry.on(requests, (_, __, next) => {
    waiting.push(next)
  })
  return {
    /** Waits until so many are at the door. */
    are: (count: number) => eventually(`not ${count} at the door`, () => waiting.length === count),
    /** Waits for the next and lets it through. */
    one: Effect.andThen(
      eventually("nobody at the door", () => waiting.length > 0),
      Effect.sync(() => waiting.shift()?.())
    )
  }
}
