// Names of revisions: a hash of a pod template in the alphabet Kubernetes uses, and ControllerRevision objects, by which
// StatefulSets and DaemonSets remember the templates they had.
// The hash is FNV-1a over the JSON, not Go's object dump: a template hashes the same here always, but not as there.
import { Effect } from "effect"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { Kind, World } from "./World.ts"
import * as Worlds from "./World.ts"

const alphabet = "bcdfghjklmnpqrstvwxz2456789"

/** Keys in order, so that equal templates have equal texts. */
const canonical = (value: J.Json): J.Json => {
  if (Array.isArray(value)) return value.map(canonical)
  if (!J.isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).toSorted(([one], [other]) => one < other ? -1 : 1).map(([key, it]) => [key, canonical(it)])
  )
}

export const hash = (template: JsonObject, salt = 0): string => {
  let state = 0x811c9dc5
  for (const byte of Buffer.from(`${JSON.stringify(canonical(template))}${salt === 0 ? "" : salt}`)) {
    state = Math.imul(state ^ byte, 0x01000193) >>> 0
  }
  return String(state).split("").map((digit) => alphabet.charAt(Number(digit) + 3)).join("")
}

export interface Revision {
  readonly name: string
  /** What pods carry as controller-revision-hash: of a DaemonSet the hash alone, of a StatefulSet the whole name. */
  readonly label: string
  readonly template: JsonObject
}

/** The ControllerRevision of the owner's present template, created where there is none. */
export const current = Effect.fnUntraced(function*(world: World, kind: Kind, owner: JsonObject) {
  const template = J.object(owner, "spec", "template")
  const revisions = world.caches.ControllerRevision.ownedBy(J.text(owner, "metadata", "uid") ?? "")
  const same = revisions.find((it) => J.equal(J.at(it, "data", "spec", "template"), { ...template, $patch: "replace" }))
  const digest = hash(template)
  const name = `${Worlds.nameOf(owner)}-${digest}`
  const latest = Math.max(0, ...revisions.map((it) => J.number(it, "revision") ?? 0))
  if (same === undefined) {
    yield* Worlds.create(world, "ControllerRevision", Worlds.namespaceOf(owner), {
      metadata: {
        name,
        labels: { ...J.texts(template, "metadata", "labels"), "controller-revision-hash": digest },
        ownerReferences: [Worlds.controlledBy(kind, owner)]
      },
      data: { spec: { template: { ...template, $patch: "replace" } } },
      revision: latest + 1
    })
  } else if ((J.number(same, "revision") ?? 0) < latest) {
    // Rolled back: the old revision is the newest again.
    yield* Worlds.patch(world, "ControllerRevision", same, { revision: latest + 1 })
  }
  const found: Revision = {
    name: same === undefined ? name : Worlds.nameOf(same),
    label: same === undefined ? name : Worlds.nameOf(same),
    template
  }
  return found
})

/** The template that a revision of that name stands for; undefined when it is forgotten. */
export const templateOf = (world: World, owner: JsonObject, name: string): JsonObject | undefined => {
  const found = world.caches.ControllerRevision.get(Worlds.namespaceOf(owner), name)
  if (found === undefined) return undefined
  const { $patch: _patch, ...template } = J.object(found, "data", "spec", "template")
  return template
}
