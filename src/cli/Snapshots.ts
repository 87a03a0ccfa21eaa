// Snapshots: the workloads of a cluster that a command looks at. Those of manifests are read by ReadManifests.
import { Console, Effect } from "effect"
import * as Snapshot from "../controller/Snapshot.ts"
import { resources } from "../controller/Watches.ts"
import type { ExtraKind } from "../settings/Settings.ts"
import { CommandFailed, failed } from "./Failure.ts"

/** The cluster's or a namespace's, as far as it lets us see them; what it hides is named on standard error. */
export const workloadsOfCluster = Effect.fnUntraced(function*(
  namespace: string | undefined,
  extras: ReadonlyArray<ExtraKind>
) {
  const namespaces = namespace === undefined ? undefined : [namespace]
  const { absent, refused, store } = yield* Snapshot.fromCluster(namespaces, extras)
  if (resources.every((it) => it.optional || refused.includes(it.resource.name))) {
    const text = "the API server lets us see no workloads at all: "
      + "who asks needs the rights of the ClusterRole image-cloner-controller, or view on the whole cluster"
    return yield* new CommandFailed({ text, code: failed })
  }
  if (refused.length > 0) {
    yield* Console.error(`The API server does not let us see ${refused.join(", ")}; they are left out.`)
  }
  for (const it of absent) yield* Console.error(it)
  return store
})

/** What may be hidden: nodes count as ready, and a namespace as without marks. */
const dispensable: ReadonlySet<string> = new Set(["nodes", "namespaces"])

/**
 * The cluster's, or those of some namespaces, for whoever changes something: what cannot be seen cannot be judged, and of what is
 * left there would be no proof.
 */
export const everyWorkload = Effect.fnUntraced(function*(
  namespaces: ReadonlyArray<string> | undefined,
  extras: ReadonlyArray<ExtraKind>
) {
  // of a kind that is not installed there is nothing
  const { refused, store } = yield* Snapshot.fromCluster(namespaces, extras)
  const hidden = refused.filter((it) => !dispensable.has(it))
  if (hidden.length === 0) return store
  const where = namespaces === undefined ? "of the whole cluster" : `of ${namespaces.join(", ")}`
  const text =
    `the API server does not let us see the ${hidden.join(", ")} ${where}, so nobody can tell what runs there: `
    + "who asks needs the rights of the ClusterRole image-cloner-controller there, or names only namespaces that they may read"
  return yield* new CommandFailed({ text, code: failed })
})
