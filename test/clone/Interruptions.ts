// A copy that is interrupted at every request in turn: the gateway with the judge of its storage beside it, and the counting
// from the first request between the registries to the last.
import { assert } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { type Gateway, type Passing, startGateway, type Stroke } from "../support/Gateway.ts"
import { brokenIn, earlyIn, type Storage, unsignedIn } from "./Wholeness.ts"

export interface Watched extends Gateway {
  /** The repository where `app` of the source goes. */
  readonly into: string
  readonly storage: Storage
  /** Tags that named, or would have named, what was not whole. */
  readonly wrong: ReadonlySet<string>
  /** Tags that named an image without its signature. */
  readonly unsigned: ReadonlySet<string>
  /** Digests of blobs that the backup said to have stored. */
  readonly stored: ReadonlyArray<string>
  /** Looks now. */
  readonly judge: () => void
}

/** A gateway whose judge looks whenever a manifest is pushed: before the backup gets it, and when it has it. */
export const startWatched = (
  hosts: { readonly source: string; readonly backup: string },
  storageAt: (repository: string) => Storage
): Effect.Effect<Watched, never, Scope.Scope> =>
  Effect.gen(function*() {
    const wrong = new Set<string>()
    const unsigned = new Set<string>()
    const stored: Array<string> = []
    const judge = () => {
      for (const it of brokenIn(storage)) wrong.add(it)
      for (const it of unsignedIn(storage)) unsigned.add(it)
    }
    const gateway = yield* startGateway({
      ...hosts,
      watch: ({ method, side, status, url }, moment) => {
        if (side !== "backup" || method !== "PUT") return
        const { pathname, searchParams } = new URL(url, "http://backup")
        const [, repository = "", reference] = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(pathname) ?? []
        if (reference === undefined) {
          if (status === 201) stored.push(searchParams.get("digest") ?? "")
          return
        }
        judge()
        if (moment === "after" || reference.includes(":")) return
        for (const it of earlyIn(storage, repository, reference)) wrong.add(it)
      }
    })
    const into = `mirror/${gateway.source.replace(":", "_")}/app`
    const storage = storageAt(into)
    return { ...gateway, into, storage, wrong, unsigned, stored, judge }
  })

const isWrite = ({ method }: Passing) => method !== "GET" && method !== "HEAD"
const hasBody = ({ method, url }: Passing) => method === "PUT" || (method === "GET" && url.includes("/blobs/"))

/** When it strikes, and at which requests: all of those where the moment makes a difference. */
export const moments: ReadonlyArray<readonly [string, Pick<Stroke, "moment" | "among">]> = [
  ["before any request", { moment: "before" }],
  ["amid the bytes of any blob or manifest", { moment: "amid", among: hasBody }],
  ["before the answer to anything that is written", { moment: "after", among: isWrite }],
  ["before the answer to anything that is read", { moment: "after", among: (it) => !isWrite(it) }]
]

/** What happened at one request; `struck` is undefined where the copy had ended before. */
export interface Broken {
  readonly struck: Passing | undefined
  /** All requests until it struck, or until the end. */
  readonly requests: ReadonlyArray<Passing>
}

/** The same in every run, whatever its order and its ports. */
const nameOf = ({ method, side, url }: Passing): string => {
  const { pathname, searchParams } = new URL(url, "http://any")
  const what = pathname.includes("/uploads/")
    ? `upload ${searchParams.get("digest") ?? ""}`
    : /[a-z]+\/[^/]+$/.exec(pathname)?.[0]
  return `${side} ${method} ${what}`
}

/**
 * Breaks copies off at their first request, at their second and so on until one has ended before; two at a time, each in a
 * place of its own. Their order varies, so whichever was not struck thus is struck by name.
 */
export const atEveryRequest = <Place, E, R, E2, R2>(
  { among = () => true, moment }: Pick<Stroke, "moment" | "among">,
  place: Effect.Effect<Place, E, R>,
  run: (place: Place, stroke: Omit<Stroke, "act">) => Effect.Effect<Broken, E2, R2>
): Effect.Effect<void, E | E2, Exclude<R | R2, Scope.Scope>> =>
  Effect.gen(function*() {
    const struck = new Set<string>()
    let next = 1
    let undisturbed: ReadonlyArray<Passing> | undefined
    const worker = Effect.gen(function*() {
      const mine = yield* place
      while (undisturbed === undefined) {
        const broken = yield* run(mine, { moment, among, at: next++ })
        if (broken.struck === undefined) undisturbed = broken.requests
        else struck.add(nameOf(broken.struck))
      }
    })
    yield* Effect.all([Effect.scoped(worker), Effect.scoped(worker)], { concurrency: 2, discard: true })
    const names = new Set(undisturbed?.filter(among).map(nameOf))
    assert.isAtLeast(names.size, 10)
    yield* Effect.scoped(Effect.flatMap(place, (mine) =>
      Effect.forEach(
        [...names].filter((it) => !struck.has(it)),
        (name) =>
          Effect.map(
            run(mine, { moment, among: (it) => nameOf(it) === name, at: 1 }),
            (broken) => assert.isDefined(broken.struck, name)
          ),
        { discard: true }
      )))
  })
