// The steps of the model with the daemon itself, on the sandbox (120 steps) and on a real control plane (30): what people push,
// release, put back, scale and mark, with a source that comes and goes and a daemon that is killed. In the end everybody runs
// the copy of what the template names, but for those who have opted out, were fought over or have gone back to a release of before.
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schedule } from "effect"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { daemon, namespace, Stage, stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"
import * as W from "../support/World.ts"
import { Command, lines } from "./Commands.ts"

const where = "model"
const path = "/spec/template/spec/containers/0/image"
const originals = "image-cloner.io/original-images"

const all = [
  ["Deployment", "one", { replicas: 2 }],
  ["Deployment", "two", { replicas: 1, strategy: { type: "Recreate" } }],
  ["StatefulSet", "three", { replicas: 2, podManagementPolicy: "Parallel" }],
  ["DaemonSet", "four", {}],
  ["Deployment", "five", { replicas: 3 }]
] as const

/** What one cluster can show of the model's commands in seconds. */
const played: ReadonlySet<Command["do"]> = new Set([
  "pass",
  "release",
  "push",
  "source",
  "revert",
  "scale",
  "mark",
  "restart"
])

const steps = (count: number) =>
  Effect.map(
    Arbitrary.sampleEffect(Arbitrary.schema(Command), { count: count * 4, seed: "bad days" }),
    (drawn) => drawn.filter((it) => played.has(it.do)).slice(0, count)
  )

const target = (which: number) => all[which % all.length] ?? all[0]

const annotationOf = (object: JsonObject, name: string) =>
  J.text(object, "metadata", "annotations", `image-cloner.io/${name}`)

/** The image of which a name is the copy; undefined where it is none. */
const split = (image: string) => {
  const [, repository = "", reference = ""] = /^[^/]+\/(.+?)(?::([^:@/]+))?(?:@.*)?$/.exec(image) ?? []
  return { repository, reference: image.split("@")[1] ?? reference }
}

const play = Effect.fnUntraced(function*(count: number) {
  const now = yield* Stage
  const { backup, upstream } = now
  let made = 0
  const push = (which: number, tag: string) =>
    upstream.load(`model/app-${which % 3}`, SampleImage.image(`image ${made++}`), tag)
  const imageOf = (which: number, tag: string) => `${upstream.host}/model/app-${which % 3}:${tag}`
  for (const which of [0, 1, 2]) for (const tag of ["1", "2", "3"]) yield* push(which, tag)
  yield* namespace(where)
  for (const [index, [kind, name, spec]] of all.entries()) {
    yield* W.make(kind, { namespace: where, name, image: imageOf(index, "1"), spec })
  }
  for (const [, name, spec] of all) yield* W.settled(where, name, "replicas" in spec ? spec.replicas : 1)

  const settings = { BACKUP_PULL_BY: "nodes", MAX_CONCURRENT_ROLLOUTS: "2" }
  let program = yield* daemon([where], settings)
  const wrongs: Array<string> = []
  const seen = new Set<string>()
  /** Whoever is pointed to a copy finds it in the backup at that moment. */
  const look = Effect.gen(function*() {
    for (const [kind, name] of all) {
      const image = yield* W.imageNow(kind, where, name)
      if (!image.startsWith(`${backup.host}/`) || seen.has(`${name} ${image}`)) continue
      seen.add(`${name} ${image}`)
      const { reference, repository } = split(image)
      if (backup.resolve(repository, reference) === undefined) {
        wrongs.push(`${name} is pointed to ${image}, which is not there`)
      }
    }
  })
  yield* Effect.forkScoped(Effect.repeat(Effect.ignore(look), Schedule.spaced("200 millis")))

  const take = Effect.fnUntraced(function*(step: Command) {
    switch (step.do) {
      case "pass":
        return yield* Effect.sleep(Math.min(step.seconds * 20, 2000))
      case "push":
        return void (yield* push(step.which, step.tag))
      case "release": {
        const [kind, name] = target(step.which)
        return yield* W.jsonPatch("author", kind, where, name, [
          { op: "replace", path, value: imageOf(all.findIndex(([, it]) => it === name), step.tag) }
        ])
      }
      case "source":
        return yield* step.up ? Effect.ignore(upstream.switchOn) : upstream.switchOff
      case "revert": {
        const [kind, name] = target(step.which)
        const object = yield* W.get(kind, where, name)
        const recorded = J.text(J.object(object, "spec", "template", "metadata", "annotations"), originals)
        const original = recorded === undefined ? undefined : J.text(J.parse(recorded), "app")
        if (original === undefined || !W.imageOf(object).startsWith(`${backup.host}/`)) return
        return yield* W.jsonPatch("restorer", kind, where, name, [{ op: "replace", path, value: original }])
      }
      case "scale": {
        const [kind, name] = target(step.which)
        if (kind === "DaemonSet") return
        return yield* W.jsonPatch("author", kind, where, name, [
          { op: "replace", path: "/spec/replicas", value: Math.max(1, step.replicas) }
        ])
      }
      case "mark": {
        const [kind, name] = target(step.which)
        const object = yield* W.get(kind, where, name)
        const { "image-cloner.io/rewrite": _, ...kept } = J.texts(object, "metadata", "annotations")
        const value = step.as === "none" ? kept : { ...kept, "image-cloner.io/rewrite": step.as }
        return yield* W.jsonPatch("author", kind, where, name, [{ op: "add", path: "/metadata/annotations", value }])
      }
      case "restart":
        yield* program.kill
        program = yield* daemon([where], settings)
        return
    }
  })
  const drawn = yield* steps(count)
  for (const step of drawn) {
    // an object that changed in between is one of the things that happen
    yield* Effect.ignore(take(step))
    yield* Effect.sleep("150 millis")
  }

  yield* Effect.ignore(upstream.switchOn)
  const left = Effect.gen(function*() {
    const waiting: Array<string> = []
    for (const [kind, name] of all) {
      const object = yield* W.get(kind, where, name)
      const image = W.imageOf(object)
      const excused = annotationOf(object, "rewrite") === "never" || annotationOf(object, "held") !== undefined
      const pods = yield* W.running(where, name)
      const { reference, repository } = split(image)
      const means = image.startsWith(`${backup.host}/`) ? backup.resolve(repository, reference) : undefined
      const words = program.about(`${kind}/${where}/${name}`).at(-1)
      // a release of before is a person's
      if (words?.startsWith("held, rollback") === true) continue
      if (!excused && means === undefined) waiting.push(`${name} runs ${image}: ${words}`)
      if (means !== undefined && !pods.every((it) => it.ready && it.image === image)) {
        waiting.push(`pods of ${name} are not those of ${image}`)
      }
    }
    return waiting
  })
  yield* eventually("not all run their copies", left, (it) => it.length === 0, "120 seconds").pipe(
    Effect.tapCause(() => Effect.logError(lines({ workloads: [], limit: 2, byNodes: true, steps: drawn })))
  )
  assert.deepStrictEqual(wrongs, [])
  yield* Effect.logInfo(`${count} steps, ${seen.size} copies were pointed to`)
})

for (const place of W.controlPlanes) {
  const count = place.name === "the sandbox" ? 120 : 30
  describe.skipIf(place.skipped)(`a model of bad days, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        `${count} steps end with everybody on the copies of what their templates mean`,
        () => play(count),
        300_000
      )
    })
  })
}
