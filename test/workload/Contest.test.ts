import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type Contest, fightsIn, isUnwell, looked, putBack, refused, wrote } from "../../src/workload/Contest.ts"
import type { HeldMark } from "../../src/workload/HeldMark.ts"
import { pod, workload } from "../support/Objects.ts"

const x = "nginx:1.27"
const y = "nginx:1.28"
const copyOf = (image: string) => `backup.example/copies/docker.io/library/${image}`
const hour = 60 * 60 * 1000
const day = 24 * hour

type Step =
  | "restore"
  | "release"
  | "rollback"
  | "write"
  | "put back"
  | "restart"
  | "refuse"
  | "sicken"
  | "heal"
  | number

/** A cluster of one container, and an actor that keeps the rule: what is not fought over is rewritten. */
class World {
  now = 0
  generation = 1
  image = x
  by = "user"
  unwell = false
  contest: Contest | undefined
  mark: HeldMark | undefined
  /** When we wrote, and over what. */
  readonly writes: Array<{ readonly at: number; readonly over: string }> = []

  /** Reverts by the text of the rule: since the last thing that ends a streak, by the time of each. */
  streak: Array<number> = []
  fought = 0

  get resting(): boolean {
    const held = this.contest?._tag === "Contested" && this.contest.until > this.now
    return held || (this.mark?.images["app"]?.[0] === this.image && Date.parse(this.mark.until ?? "") > this.now)
  }

  #remembered = (original: string) => fightsIn(this.mark, "app", original, this.now)

  #set(image: string): void {
    this.image = image
    this.generation++
  }

  look(pardoned = false, generation = this.generation, image = this.image): void {
    const before = this.contest
    this.contest = looked(before, {
      image,
      generation,
      rewrote: image.startsWith("backup") && this.by === "us" ? this.#over(image) : undefined,
      unwell: this.unwell,
      by: this.by,
      pardoned,
      remembered: this.#remembered,
      now: this.now
    })
    this.#note(before)
  }

  #over = (copy: string) => copy.slice(copyOf("").length)

  #note(before: Contest | undefined): void {
    const { contest } = this
    if (contest?._tag !== "Contested" || contest === before) return
    this.mark = {
      reason: "contested",
      detail: contest.by,
      until: new Date(contest.until).toISOString(),
      count: contest.fights,
      images: { app: [contest.original, contest.copy] }
    }
  }

  write(answer?: string): void {
    if (this.resting || this.image.startsWith("backup")) return
    const before = this.contest
    const original = this.image
    const generation = this.generation + 1
    this.writes.push({ at: this.now, over: original })
    const patch = { original, copy: copyOf(original), generation, now: this.now, remembered: this.#remembered }
    this.generation = generation
    if (answer === undefined) {
      const stale = this.generation - 1
      this.image = copyOf(original)
      this.by = "us"
      this.contest = wrote(before, patch)
      // the watch may be behind
      this.look(false, stale, original)
      this.look()
    } else {
      this.contest = refused(before, patch, answer)
      this.#note(before)
    }
  }

  take(step: Step): void {
    const ours = this.image.startsWith("backup") && this.by === "us" ? this.#over(this.image) : undefined
    if (typeof step === "number") this.now += step
    else if (step === "write") this.write()
    else if (step === "refuse") this.write("a webhook")
    else if (step === "restart") this.contest = undefined
    else if (step === "sicken" || step === "heal") this.unwell = step === "sicken"
    else if (step === "put back") {
      if (ours === undefined) return
      this.#set(ours)
      this.contest = putBack(this.generation)
      this.look(false, this.generation - 1, copyOf(ours))
    } else {
      if (step === "rollback" && ours === undefined) return
      this.by = "restorer"
      this.#set(step === "release" ? (this.image.includes(y) ? x : y) : this.image.includes(y) ? y : x)
      this.look(step === "rollback")
    }
    this.look()
  }
}

const play = (...steps: ReadonlyArray<Step>): World => {
  const world = new World()
  for (const step of steps) world.take(step)
  return world
}

describe("somebody who restores the image", () => {
  it("has it after two rewrites, for an hour, and then after one, twice as long each time and a week at most", () => {
    const world = play("write", "restore", "write", "restore")
    const rests: Array<number> = []
    for (let round = 0; round < 12; round++) {
      assert.strictEqual(world.contest?._tag, "Contested")
      const until = world.contest?._tag === "Contested" ? world.contest.until : 0
      rests.push((until - world.now) / hour)
      for (const step of ["write", "write", "restart"] as const) world.take(step)
      world.now = until
      world.take("write")
      world.take("restore")
    }
    assert.deepStrictEqual(rests, [1, 2, 4, 8, 16, 32, 64, 128, 168, 168, 168, 168])
    assert.strictEqual(world.writes.length, 14)
  })

  it("has it after one rewrite whose pods were not well", () => {
    assert.strictEqual(play("write", "sicken", "restore").contest?._tag, "Contested")
    assert.strictEqual(play("sicken", "heal", "write", "restore").contest?._tag, "Reverted")
  })

  it("is told from somebody who does it on another day", () => {
    assert.strictEqual(play("write", "restore", day + 1, "write", "restore").contest?._tag, "Reverted")
  })

  it("is who the reason names", () => {
    const { contest } = play("write", "restore", "write", "restore")
    assert.strictEqual(contest?._tag === "Contested" ? contest.by : "", "restorer")
    const refusal = play("refuse", "refuse").contest
    assert.strictEqual(refusal?._tag === "Contested" ? refusal.by : "", "a webhook")
  })
})

describe("no fight is", () => {
  const endings: ReadonlyArray<readonly [name: string, round: ReadonlyArray<Step>]> = [
    ["a put-back of ours", ["write", "put back"]],
    ["a rollback", ["write", "rollback"]],
    ["a release, and the one before it again", ["write", "release", "write", "release"]]
  ]
  for (const [name, round] of endings) {
    it(`${name}, however often`, () => {
      const world = play(...Array.from({ length: 10 }, () => round).flat())
      assert.notStrictEqual(world.contest?._tag, "Contested")
      assert.isUndefined(world.mark)
    })
  }

  it("another spelling of the copy with the digest that was added to it", () => {
    const world = play("write")
    world.image = `${world.image}@sha256:${"a".repeat(64)}`
    world.take("heal")
    assert.strictEqual(world.contest?._tag, "Written")
  })
})

const Steps = Schema.Array(Schema.Union([
  Schema.Literals([
    ...(["restore", "restore", "restore", "write", "write", "write", "release", "rollback"] as const),
    ...(["put back", "refuse", "restart", "sicken", "heal"] as const)
  ]),
  Schema.Literals([1000, hour, 3 * hour, day])
]))

describe("whatever happens in whatever order", () => {
  it.prop("it rests when the text of the rule says so, and then only", [Steps], ([steps]) => {
    const world = new World()
    /** Reverts of the same image with nothing between that ends a fight, and whether there was a fight in it before. */
    let streak: { over: string; at: Array<number>; fought: boolean } = { over: "", at: [], fought: false }
    for (const step of steps) {
      const { contest: before, image } = world
      const standing = image.startsWith("backup") && world.by === "us" ? image.slice(copyOf("").length) : undefined
      const sick = before?._tag === "Written" && before.unwell
      const count = world.writes.length
      const rested = world.resting
      world.take(step)
      if (rested && typeof step !== "number" && step !== "release") assert.strictEqual(world.writes.length, count)
      const over = step === "refuse" && world.writes.length > count ? image : standing
      if (step === "restart" || (step === "put back" && standing !== undefined)) {
        streak = { over: "", at: [], fought: false }
      }
      if (step === "release") streak = { over: "", at: [], fought: false }
      if ((step !== "restore" && step !== "refuse") || over === undefined) continue
      if (step === "refuse" && world.writes.length === count) continue
      if (streak.over !== over) streak = { over, at: [], fought: false }
      streak.at = [...streak.at.filter((at) => at > world.now - day), world.now]
      const marked = fightsIn(world.mark, "app", over, world.now) > 0
      const fight = streak.at.length >= 2 || (sick && step === "restore") || streak.fought
      if (fight) assert.strictEqual(world.contest?._tag, "Contested", JSON.stringify(steps))
      else if (!marked) assert.strictEqual(world.contest?._tag, "Reverted", JSON.stringify(steps))
      if (world.contest?._tag === "Contested") streak.fought = true
    }
  }, { arbitrary: { runs: 2000 } })

  it.prop("one image is written over seven times a day at most, restarts included once a rest is on the object", [
    Steps
  ], ([steps]) => {
    const world = play("write", "restore", "write", "restore")
    for (const step of steps) {
      world.take(step === "release" || step === "put back" || step === "rollback" ? "restore" : step)
      world.take("write")
      world.take("restore")
    }
    for (const { at } of world.writes) {
      assert.isAtMost(world.writes.filter((it) => it.at >= at && it.at < at + day).length, 7)
    }
  })
})

describe("pods of our revision are not well", () => {
  const owner = workload()
  const unwell = (given: Parameters<typeof pod>[0], of = owner) => isUnwell(of, new Set([pod({ owner, ...given })]))

  it("when they crash, cannot pull, are given up, or fail after they served", () => {
    assert.isTrue(unwell({ state: { waiting: { reason: "ImagePullBackOff" } } }))
    assert.isTrue(unwell({ state: { terminated: {} } }))
    assert.isTrue(unwell({ ready: false }))
    const late = [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }]
    assert.isTrue(isUnwell(workload({ status: { conditions: late } }), new Set()))
  })

  it("but not while they are brought up", () => {
    const rolling = workload({ status: { conditions: [{ type: "Progressing", reason: "ReplicaSetUpdated" }] } })
    assert.isFalse(unwell({}))
    assert.isFalse(unwell({ ready: false }, rolling))
    assert.isFalse(unwell({ ready: false, state: { waiting: { reason: "ContainerCreating" } } }, rolling))
  })
})
