// ClusterStatus: how much of what runs is in the backup, as `/api/status` answers it and the command `status` reads it. Edge: values
// only; the counts are upkeep's, how they look StatusTable's.
import { Effect, Schema } from "effect"
import type { Images } from "../store/Inventory.ts"
import { countAll, type CoverageCounts, type CoverageTally, ratioOf } from "../upkeep/Coverage.ts"
import { imageCounts, imageCoverage } from "../upkeep/ImageCoverage.ts"
import type { CoverageState } from "../upkeep/PodCoverage.ts"
import { type SkipReason, skipReasons } from "../workload/Reason.ts"
import { bounded, mostListed } from "./Explanation.ts"

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Counts = Schema.Struct({ running: Count, whole: Count, left: Count, "at-risk": Count })

export const ClusterStatus = Schema.TaggedStruct("Status", {
  /** Who has counted: the controller itself, or a command that has looked at the cluster and the backup. */
  by: Schema.Literals(["controller", "command"]),
  pods: Counts,
  images: Counts,
  /** Of the pods that could have a copy, the share that has one, 0 to 1. */
  ratio: Schema.Finite,
  /** Those with most pods at risk first. */
  namespaces: Schema.Array(Schema.Struct({ namespace: Schema.String, pods: Counts, images: Counts })),
  /** How many namespaces there are beyond those. */
  more: Count,
  /** Pods with an image that is not copied, by why. */
  left: Schema.Array(Schema.Struct({ reason: Schema.String, pods: Count })),
  /** Images in use that have lost their source, and the first of them; those without a copy first. */
  vanished: Schema.Struct({
    count: Count,
    images: Schema.Array(Schema.Struct({
      source: Schema.String,
      cause: Schema.Literals(["not-found", "unreachable"]),
      /** Whether the backup holds it. */
      kept: Schema.Boolean,
      pods: Count
    }))
  }).pipe(
    // a controller of a version before says nothing of it
    Schema.withDecodingDefaultKey(Effect.succeed({ count: 0, images: [] }))
  ),
  /** Images in use without a copy, the first of them. */
  atRisk: Schema.Array(Schema.Struct({ source: Schema.String, why: Schema.String, pods: Count }))
})
export type ClusterStatus = typeof ClusterStatus.Type

/** An answer is read by people, and bounded: a cluster may have ten thousand namespaces. */
const mostNamespaces = 500

/** Users are called by kind, namespace and name, and an image may have a hundred thousand of them. */
const namespacesOf = (users: ReadonlySet<string>): ReadonlySet<string> => {
  const found = new Set<string>()
  for (const user of users) {
    const from = user.indexOf("/") + 1
    found.add(user.slice(from, user.indexOf("/", from)))
  }
  return found
}

/** Of each namespace how its images are covered: an image counts in each where it is used. */
const byNamespace = (inventory: Images, coverage: CoverageTally): ReadonlyMap<string, CoverageCounts> => {
  const states = new Map<string, Array<CoverageState>>()
  for (const entry of inventory.all) {
    const state = imageCoverage(entry, coverage)
    for (const namespace of namespacesOf(entry.users)) {
      const there = states.get(namespace)
      if (there === undefined) states.set(namespace, [state])
      else there.push(state)
    }
  }
  return new Map([...states].map(([namespace, all]) => [namespace, countAll(all)]))
}

/** Deployments and ReplicaSets use an image as well, which is the same use once more. */
const podsOf = (users: ReadonlySet<string>): number => [...users].filter((it) => it.startsWith("Pod/")).length

const atRisk = (inventory: Images, coverage: CoverageTally): ClusterStatus["atRisk"] =>
  inventory.all.filter((it) => imageCoverage(it, coverage) === "at-risk")
    .toSorted((a, b) => b.users.size - a.users.size || a.source.localeCompare(b.source))
    .slice(0, mostListed)
    .map(({ source, state, users }) => ({
      source: bounded(source),
      why: bounded(
        state._tag === "Failed"
          ? `${state.reason}: ${state.message}`
          : state._tag === "Pending" && state.why !== undefined
          ? state.why
          : "not in the backup yet"
      ),
      pods: podsOf(users)
    }))

/** Those that have lost their source, the ones without a copy first. */
export const vanishedIn = (inventory: Images): ClusterStatus["vanished"] => {
  const all = inventory.all.flatMap(({ source, state, users, vanished }) =>
    vanished === undefined
      ? []
      : [{ source: bounded(source), cause: vanished, kept: state._tag === "BackedUp", pods: podsOf(users) }]
  )
  const images = all.toSorted((a, b) => Number(a.kept) - Number(b.kept) || b.pods - a.pods).slice(0, mostListed)
  return { count: all.length, images }
}

/** The answer at this moment. */
export const statusOf = (
  by: ClusterStatus["by"],
  { coverage, inventory }: { readonly coverage: CoverageTally; readonly inventory: Images }
): ClusterStatus => {
  const images = byNamespace(inventory, coverage)
  const namespaces = coverage.namespaces.toSorted((a, b) =>
    b.pods["at-risk"] - a.pods["at-risk"] || a.namespace.localeCompare(b.namespace)
  )
  return {
    _tag: "Status",
    by,
    pods: coverage.pods,
    images: imageCounts(inventory, coverage),
    ratio: ratioOf(coverage.pods),
    namespaces: namespaces.slice(0, mostNamespaces).map((it) => ({
      ...it,
      images: images.get(it.namespace) ?? countAll([])
    })),
    more: Math.max(0, namespaces.length - mostNamespaces),
    // the keys of a closed list, which TypeScript widens to strings
    left: (Object.keys(skipReasons) as ReadonlyArray<SkipReason>)
      .map((reason) => ({ reason, pods: coverage.leftFor(reason) }))
      .filter((it) => it.pods > 0)
      .toSorted((a, b) => b.pods - a.pods),
    vanished: vanishedIn(inventory),
    atRisk: atRisk(inventory, coverage)
  }
}
