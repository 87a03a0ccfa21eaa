import { assert, describe, it } from "@effect/vitest"
import { States } from "../../../src/kube/watch/WatchStates.ts"

const watched = (change: Parameters<States["update"]>[1]) => {
  const states = new States()
  states.update("pods", { state: "synced", heardAt: 1000, patience: 150_000, ...change })
  return (now: number) => states.unheard("pods", now)
}

describe("a resource", () => {
  it("is heard of until nothing has come for longer than its watch may be silent", () => {
    const at = watched({})
    assert.isUndefined(at(151_000))
    assert.strictEqual(at(152_000), "nothing was heard of pods for 151 s")
  })

  it("is not heard of by attempts", () => {
    assert.isDefined(watched({ progressAt: 200_000 })(200_000))
  })

  it("is unseen at once when the server refuses it, and before it was seen whole", () => {
    assert.strictEqual(watched({ state: "refused" })(1000), "the API server does not let us see pods")
    assert.strictEqual(watched({ state: "starting" })(1000), "pods have not been seen whole yet")
  })

  it("that is not watched here is no matter", () => assert.isUndefined(new States().unheard("pods", 0)))
})
