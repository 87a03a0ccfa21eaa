import { assert, describe, it } from "@effect/vitest"
import { Contests } from "../../../src/controller/workloads/Contests.ts"
import { type Given, ownedImage, workload } from "../../support/Objects.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const copyOf = (image: string) => `backup.example/copies/docker.io/library/${image}`
const around = { newest: new Set<never>(), controlled: [] }

const by = (manager: string, time = "1970-01-01T00:00:00Z") => [
  { manager, operation: "Update", time, fieldsV1: ownedImage }
]

/** A Deployment as somebody left it. */
const made = (generation: number, given: Given = {}, manager = "restorer") =>
  workload({ ...given, metadata: { generation, managedFields: by(manager), ...given.metadata } })

/** The same as our patch leaves it. */
const rewritten = (generation: number, given: Given = {}) =>
  made(generation, {
    images: { app: copyOf("nginx:1.27") },
    templateAnnotations: { "image-cloner.io/original-images": "{\"app\":\"nginx:1.27\"}" },
    ...given
  }, "image-cloner")

const replacementsOf = (of: ReturnType<typeof workload>) => of.images.map((slot) => ({ slot, to: copyOf(slot.image) }))

/** Our patch of what stands there, and what the API server answers to it. */
const write = (
  contests: Contests,
  before: ReturnType<typeof workload>,
  after = rewritten((before.generation ?? 0) + 1)
) => contests.wrote({ before, after, replacements: replacementsOf(before) }, [], 0)

describe("the memory of fights", () => {
  it("begins with what stands there: a rewrite of before a restart counts as one of this process", () => {
    const contests = new Contests(backup)
    assert.isUndefined(contests.look(rewritten(2), around, 0))
    assert.isUndefined(contests.look(made(3), around, 0))
    write(contests, made(3))
    assert.strictEqual(contests.look(made(5), around, 0)?.reason, "contested")
  })

  it("is not misled by a watch that is behind", () => {
    const contests = new Contests(backup)
    for (let look = 0; look < 5; look++) {
      write(contests, made(1))
      assert.isUndefined(contests.look(made(1), around, 0))
    }
  })

  it("does not count what we have put back ourselves, before the watch shows it and after", () => {
    const contests = new Contests(backup)
    for (let generation = 1; generation < 20; generation += 2) {
      write(contests, made(generation))
      const copy = rewritten(generation + 1)
      contests.look(copy, around, 0)
      contests.putBack(copy, made(generation + 2))
      contests.look(copy, around, 0)
      assert.isUndefined(contests.look(made(generation + 2), around, 0))
    }
  })

  it("does not count what a command of ours has put back", () => {
    const contests = new Contests(backup)
    for (let generation = 1; generation < 20; generation += 2) {
      write(contests, made(generation))
      contests.look(rewritten(generation + 1), around, 0)
      assert.isUndefined(contests.look(made(generation + 2, {}, "image-cloner"), around, 0))
    }
  })

  // an old kubectl applies under the name that its undo has, and a pipeline does so again and again
  it("pardons an undo of which only kubectl's name tells once in a day", () => {
    const contests = new Contests(backup)
    const kind = { kind: "StatefulSet" } as const
    write(contests, made(1, kind), rewritten(2, kind))
    assert.isUndefined(contests.look(made(3, kind, "kubectl"), around, 0))
    assert.isFalse(contests.isExplained(made(3, kind).key))
    write(contests, made(3, kind, "kubectl"), rewritten(4, kind))
    assert.strictEqual(contests.look(made(5, kind, "kubectl"), around, 3_600_000)?.reason, "contested")
  })

  it("is of one object: one that is made anew under its name starts without", () => {
    const contests = new Contests(backup)
    write(contests, made(1))
    contests.look(made(3), around, 0)
    write(contests, made(3))
    const metadata = { uid: "another" }
    assert.isUndefined(contests.look(made(5, { metadata: { ...metadata, generation: 5 } }), around, 0))
  })

  it("tells what of a patch the API server changed, container by container", () => {
    const contests = new Contests(backup)
    const images = { app: "nginx:1.27", side: "redis:7" }
    const after = made(2, { images: { app: copyOf("nginx:1.27"), side: "redis:7" } })
    assert.deepStrictEqual(write(contests, made(1, { images }), after), [
      `container side has redis:7 and not ${copyOf("redis:7")}`
    ])
    assert.deepStrictEqual(write(contests, made(3, { images }), made(4, { images })).length, 2)
    assert.deepStrictEqual(contests.look(made(4, { images }), around, 0)?.images, {
      side: ["redis:7", copyOf("redis:7")]
    })
  })

  it("has its mark written once, and again for another rest", () => {
    const contests = new Contests(backup)
    const key = made(1).key
    write(contests, made(1), made(1))
    assert.isUndefined(contests.unwritten(key))
    write(contests, made(1), made(1))
    const mark = contests.unwritten(key)!
    assert.deepStrictEqual([mark.count, mark.until], [1, "1970-01-01T01:00:00.000Z"])
    contests.wasWritten(key, mark)
    assert.isUndefined(contests.unwritten(key))
    write(contests, made(1), made(1))
    assert.strictEqual(contests.unwritten(key)?.count, 2)
  })
})
