// PageView: all that the status page shows, as values: every list has a bound and says how much more there is, every text that others
// wrote is cut. Pure. Edge: where it comes from is GatherPage's, how it looks PageHtml's.
import type { Change } from "../../telemetry/RecentChanges.ts"
import type { CoverageCounts } from "../../upkeep/Coverage.ts"
import type { ClusterStatus } from "../ClusterStatus.ts"
import type { Command } from "../Explanation.ts"
import type { CoverageSample } from "./CoverageCourse.ts"

/** The first of many, and how many more there are. */
export interface Some<A> {
  readonly first: ReadonlyArray<A>
  readonly more: number
}

export interface CopyView {
  readonly source: string
  readonly startedAt: number
  readonly bytes: { readonly done: number; readonly total: number }
  readonly blobs: { readonly done: number; readonly total: number }
}

export interface HeldView {
  readonly reason: string
  readonly meaning: string
  readonly advice: string
  readonly workloads: Some<string>
}

/** A workload that waits for a person. */
export interface TroubleView {
  readonly workload: string
  readonly reason: string
  readonly detail: string
  /** Milliseconds since the epoch; undefined where no clock tells. */
  readonly since: number | undefined
  readonly advice: string
  readonly commands: ReadonlyArray<Command>
}

export interface FailedImageView {
  readonly source: string
  readonly state: string
  readonly detail: string
  readonly users: number
  /** When it is tried again: milliseconds since the epoch. */
  readonly retryAt: number | undefined
  readonly command: string
}

/** An image in use that has lost its source. */
export type VanishedView = ClusterStatus["vanished"]["images"][number]

export interface RegistryView {
  readonly host: string
  readonly images: number
  readonly budget: { readonly limit: number; readonly remaining: number; readonly windowMinutes: number } | undefined
  /** For how long it is left alone, in milliseconds; 0 where it may be asked. */
  readonly restFor: number
}

export interface PageView {
  /** When it was so: milliseconds since the epoch. */
  readonly at: number
  readonly version: string
  /** Whether the whole cluster has been seen: shares say nothing before. */
  readonly complete: boolean
  readonly ratio: number
  readonly pods: CoverageCounts
  readonly images: CoverageCounts
  /** Those with most pods at risk first. */
  readonly namespaces: Some<{ readonly namespace: string; readonly pods: CoverageCounts }>
  readonly course: ReadonlyArray<CoverageSample>
  readonly copies: Some<CopyView>
  readonly waiting: number
  readonly held: ReadonlyArray<HeldView>
  readonly trouble: Some<TroubleView>
  /** Those without a copy first. */
  readonly vanished: Some<VanishedView>
  readonly failed: Some<FailedImageView>
  readonly registries: Some<RegistryView>
  /** Newest first. */
  readonly changes: ReadonlyArray<Change>
}

/** The first of them by what comes first: one pass, because there may be a hundred thousand. */
export const firstOf = <A>(all: Iterable<A>, most: number, compare: (a: A, b: A) => number): Some<A> => {
  const first: Array<A> = []
  let count = 0
  for (const it of all) {
    count++
    const last = first.at(-1)
    if (first.length === most && last !== undefined && compare(it, last) >= 0) continue
    // what is equal stays in its order
    const place = first.findIndex((other) => compare(it, other) < 0)
    first.splice(place === -1 ? first.length : place, 0, it)
    if (first.length > most) first.pop()
  }
  return { first, more: count - first.length }
}

export const mapSome = <A, B>({ first, more }: Some<A>, f: (it: A) => B): Some<B> => ({ first: first.map(f), more })
