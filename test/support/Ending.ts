// How workloads have ended: what the cluster has of each, what `plan` says of it, and whether whoever waits is told a way on.
// Edge: workloads of one container whose pods carry their name as the label `app`, as World makes them.
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import { cli } from "../cli/Cli.ts"
import { user } from "./Stage.ts"
import { eventually } from "./Eventually.ts"
import type { Daemon } from "./Daemon.ts"
import * as W from "./World.ts"

export interface Ending {
  /** Of its template. */
  readonly image: string
  /** How many pods are there, each of them ready and made from this template. */
  readonly pods: number
  /** What `plan` says of it; null: that it will be rewritten, because what holds it is the daemon's own pace. */
  readonly reason: string | null
  /** What the daemon says of it, where `plan` cannot know. */
  readonly said?: string
}

/** By key, such as `Deployment/shop/web`. */
export type Endings = Readonly<Record<string, Ending>>

interface Standing {
  readonly image: string
  readonly pods: number
}

const kinds = ["Deployment", "StatefulSet", "DaemonSet", "CronJob"]

const imageOf = (kind: string, object: JsonObject): string =>
  kind === "CronJob"
    ? J.text(object, "spec", "jobTemplate", "spec", "template", "spec", "containers", 0, "image") ?? ""
    : W.imageOf(object)

const nameOf = (object: JsonObject): string => J.text(object, "metadata", "name") ?? ""

/** Every workload of a namespace; -1 pods where some are not ready or from another template. */
const standing = Effect.fnUntraced(function*(namespace: string) {
  const pods = yield* W.list("Pod", namespace)
  const found: Array<readonly [string, Standing]> = []
  for (const kind of kinds) {
    for (const object of yield* W.list(kind, namespace)) {
      const image = imageOf(kind, object)
      const own = kind === "CronJob"
        ? []
        : pods.filter((it) => J.text(it, "metadata", "labels", "app") === nameOf(object))
      const whole = own.every((it) => W.isReady(it) && J.text(it, "spec", "containers", 0, "image") === image)
      found.push([`${kind}/${namespace}/${nameOf(object)}`, { image, pods: whole ? own.length : -1 }])
    }
  }
  return found
})

/** The workloads that are not there, not as they should be, or that nobody speaks of. */
const others = (all: ReadonlyArray<readonly [string, Standing]>, endings: Endings): ReadonlyArray<string> => {
  const found = new Map(all)
  const wrong = Object.entries(endings).flatMap(([key, { image, pods }]) => {
    const now = found.get(key)
    return now?.image === image && now.pods === pods
      ? []
      : [`${key}: ${now?.image} in ${now?.pods} pods, not ${image} in ${pods}`]
  })
  return [
    ...wrong,
    ...[...found.keys()].filter((key) => !(key in endings)).map((key) => `${key}: nothing is said of it`)
  ]
}

/** A setting, an annotation, a command, the secret that is missing, or when it goes on by itself. */
const way = /pull secret|\b[A-Z]{2,}(?:_[A-Z]+)+\b|image-cloner\.io\/|\bkubectl |\bimage-cloner [a-z]+|\d+ minutes/

interface Row {
  readonly reason: string | null
  readonly detail: string
}

/** What `plan` says, by workload: each has one container. */
const planned = Effect.fnUntraced(function*(namespaces: ReadonlyArray<string>, settings: Record<string, string>) {
  const env = { ...yield* user, NAMESPACES_TO_INCLUDE: namespaces.join(), ...settings }
  const { code, stderr, stdout } = yield* cli(["plan", "--check", "--output", "json"], { env })
  assert.strictEqual(code, 0, stderr)
  const rows = J.list(J.parse(stdout) ?? null, "rows").filter(J.isObject)
  return new Map(rows.map((it): readonly [string, Row] => {
    const [kind, name] = (J.text(it, "workload") ?? "").split("/")
    return [`${kind}/${J.text(it, "namespace")}/${name}`, {
      reason: J.text(it, "reason") ?? null,
      detail: J.text(it, "detail") ?? ""
    }]
  }))
})

export interface Given {
  readonly namespaces: ReadonlyArray<string>
  readonly daemon: Daemon
  /** Those of the daemon that are not the stage's. */
  readonly settings?: Record<string, string>
  /** Default: a minute. */
  readonly patience?: "30 seconds" | "60 seconds" | "120 seconds"
}

const stands = ({ namespaces }: Given) => Effect.map(Effect.forEach(namespaces, standing), (all) => all.flat())

/**
 * Waits until every workload of the namespaces is as it should end. Then each has its reason in `plan`, and what still waits is
 * told a setting, an annotation or a command.
 */
export const ends = Effect.fnUntraced(function*(endings: Endings, given: Given) {
  yield* eventually(
    "not all have ended as they should",
    Effect.map(stands(given), (all) => others(all, endings)),
    (wrong) => wrong.length === 0,
    given.patience
  )
  const rows = yield* planned(given.namespaces, given.settings ?? {})
  for (const [key, { reason, said }] of Object.entries(endings)) {
    const row = rows.get(key)
    assert.strictEqual(row?.reason, reason, `${key}: ${row?.detail}`)
    if (said === undefined && reason === "already-backup") continue
    const words = said === undefined ? `${row?.reason}: ${row?.detail}` : yield* eventually(
      `the daemon does not say ${said} of ${key}`,
      () => given.daemon.about(key).findLast((it) => it.startsWith("held, ")) ?? "",
      (line) => line.startsWith(`held, ${said}: `)
    )
    assert.match(words, way, `${key} waits, and its reason names no way on`)
  }
})

/** The same after a while: nothing has moved. */
export const stays = Effect.fnUntraced(function*(endings: Endings, given: Given, seconds = 5) {
  yield* Effect.sleep(seconds * 1000)
  assert.deepStrictEqual(others(yield* stands(given), endings), [])
})
