// Election: what one contender knows of a Lease, what it may write, and what follows from each answer. Pure: every time comes in.
// The algorithm is client-go's (tools/leaderelection/leaderelection.go); where it differs, it waits longer. Edge: when to ask and
// how is LeaderElection.ts; another machine's timestamps are never compared with any clock.
import { encode, isSame, type Lease, type LeaseName, type LeaseRecord, newLease } from "./LeaseRecord.ts"
import { microTime } from "../MicroTime.ts"

/** Milliseconds. A leader stops five seconds before anybody else may begin. */
export const timing = {
  /** After so long without a change of the record others take over. */
  lease: 15_000,
  /** After so long without a renewal the leader stops. */
  renewDeadline: 10_000,
  retry: 2_000,
  /** A candidate waits up to so much longer, in parts of `retry`, so that not all ask at once. */
  jitter: 1.2,
  /** So much later than `lease` a leader that still believes in itself is no longer alive. */
  tolerance: 20_000
} as const

/** A moment by both clocks of this machine, in milliseconds: the one that only goes on, and the one on the wall. */
export interface Moment {
  readonly uptime: number
  readonly wall: number
}

export interface Election {
  readonly identity: string
  readonly where: LeaseName
  /** What a write can be based on: the object as the server had it last, or that there is none; else it must be read first. */
  readonly basis: Lease | "absent" | "unread" | "unsure"
  /** The record that was read last, and the uptime at which it was first seen so. */
  readonly seen: { readonly record: LeaseRecord; readonly since: number } | undefined
  /** We lead: when the last renewal that succeeded was begun. */
  readonly lead: Moment | undefined
}

/** A request that writes, guarded by the object's resourceVersion or by its absence. */
export interface Write {
  readonly method: "POST" | "PUT"
  readonly body: Readonly<Record<string, unknown>>
}

export const begin = (identity: string, where: LeaseName): Election => ({
  identity,
  where,
  basis: "unread",
  seen: undefined,
  lead: undefined
})

/** Until when, by uptime, the record that was seen keeps others away; in the past where it does not. */
const validUntil = ({ seen }: Election): number => {
  if (seen === undefined || seen.record.holder === "") return Number.NEGATIVE_INFINITY
  // a record with a shorter time was edited: its holder does not know yet
  return seen.since + Math.max(seen.record.durationSeconds * 1000, timing.lease)
}

const isHeldByOther = (election: Election, uptime: number): boolean =>
  election.seen?.record.holder !== election.identity && uptime < validUntil(election)

/**
 * Whether a change may be made now: we lead, and the last renewal was begun within the deadline. CLOCK_MONOTONIC stands still while
 * a machine is suspended (Linux), where the others' time goes on; the wall clock tells. One that was set ahead costs a renewal.
 */
export const mayWrite = ({ lead }: Election, now: Moment): boolean =>
  lead !== undefined && now.uptime - lead.uptime < timing.renewDeadline && now.wall - lead.wall < timing.renewDeadline

/** Milliseconds until the lead is to be given up; 0: now. Undefined: there is none. */
export const remaining = ({ lead }: Election, now: Moment): number | undefined =>
  lead === undefined ? undefined : Math.max(0, lead.uptime + timing.renewDeadline - now.uptime)

/** Who leads in our eyes. */
export const leaderOf = (election: Election, now: Moment): string | undefined => {
  if (election.lead !== undefined) return election.identity
  return isHeldByOther(election, now.uptime) ? election.seen?.record.holder : undefined
}

/** Why this process would better be started again: it should long have given up the lead. */
export const problemOf = ({ lead }: Election, now: Moment): string | undefined => {
  const silent = lead === undefined ? 0 : now.uptime - lead.uptime
  return silent > timing.lease + timing.tolerance
    ? `leads, and has not renewed its lease for ${Math.round(silent / 1000)} s`
    : undefined
}

/** How long to wait until the next attempt. `random`: 0 to 1. */
export const pauseOf = (election: Election, now: Moment, random: number): number => {
  const left = remaining(election, now)
  if (left !== undefined) return Math.min(timing.retry, left)
  const pause = timing.retry * (1 + random * timing.jitter)
  // whoever is waited for is not waited for longer than need be
  return isHeldByOther(election, now.uptime) ? Math.min(pause, validUntil(election) - now.uptime) : pause
}

const held = ({ basis, identity, where }: Election, now: Moment): Write => {
  const before = typeof basis === "string" ? undefined : basis
  const isOurs = before?.record.holder === identity
  const renewTime = microTime(now.wall, before?.record.renewTime)
  const record: LeaseRecord = {
    holder: identity,
    durationSeconds: timing.lease / 1000,
    acquireTime: isOurs ? before.record.acquireTime ?? renewTime : renewTime,
    renewTime,
    // of 32 bits in the API
    transitions: before === undefined ? 0 : Math.min(before.record.transitions + (isOurs ? 0 : 1), 2 ** 31 - 1)
  }
  return before === undefined
    ? { method: "POST", body: newLease(where, record) }
    : { method: "PUT", body: encode(before, record) }
}

/** The renewal of a leader that knows the object: it need not be read. Undefined: it must. */
export const renewal = (election: Election, now: Moment): Write | undefined =>
  election.lead !== undefined && typeof election.basis !== "string" &&
    election.basis.record.holder === election.identity && now.uptime < validUntil(election)
    ? held(election, now)
    : undefined

/** What to write after it was read: creation, takeover, renewal. Undefined: it is somebody else's, or must be read first. */
export const claim = (election: Election, now: Moment): Write | undefined =>
  election.basis === "unread" || election.basis === "unsure" || isHeldByOther(election, now.uptime)
    ? undefined
    : held(election, now)

/** A write is sent: until its answer is there, nobody knows what the server has. */
export const sent = (election: Election): Election => ({ ...election, basis: "unsure" })

/** It was read. `now` is after the answer: what was seen later is waited for longer. */
export const read = (election: Election, lease: Lease | undefined, now: Moment): Election => {
  // one that was deleted says nothing about its holder, who may lead on until it notices: `seen` stays
  if (lease === undefined) return { ...election, basis: "absent" }
  const { seen } = election
  return {
    ...election,
    basis: lease,
    seen: seen !== undefined && isSame(seen.record, lease.record)
      ? seen
      : { record: lease.record, since: now.uptime },
    lead: lease.record.holder === election.identity ? election.lead : undefined
  }
}

/**
 * A write was answered with what the server has now. The lead is ours only if that is ours; it counts from when the write was begun,
 * so that an answer that was long under way is worth nothing.
 */
export const written = (election: Election, begun: Moment, lease: Lease, now: Moment): Election => {
  const after = read(election, lease, now)
  return lease.record.holder === election.identity && now.uptime - begun.uptime < timing.renewDeadline
    ? { ...after, lead: begun }
    : after
}

/** The lead ends, whatever the server has. */
export const gaveUp = (election: Election): Election => ({ ...election, lead: undefined })

/** Whether the server may have us as the holder. */
export const mayHold = ({ basis, identity, lead, seen }: Election): boolean =>
  lead !== undefined || seen?.record.holder === identity || basis === "unsure"

/** What lets the next one in at once; undefined: it is not ours. */
export const resignation = ({ basis, identity }: Election, now: Moment): Write | undefined => {
  if (typeof basis === "string" || basis.record.holder !== identity) return undefined
  const time = microTime(now.wall, basis.record.renewTime)
  return {
    method: "PUT",
    body: encode(basis, { ...basis.record, holder: "", durationSeconds: 1, acquireTime: time, renewTime: time })
  }
}
