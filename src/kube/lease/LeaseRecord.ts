// LeaseRecord: who holds a Lease, as coordination.k8s.io/v1 writes it, and what is written in its place. Pure. Edge: whether a
// record is still valid is nothing that its timestamps tell, they are another machine's: Election.ts.
import { Option, Schema } from "effect"

/** The part of a Lease's spec that elections are about (k8s.io/api coordination/v1 types.go, LeaseSpec). */
export interface LeaseRecord {
  /** Empty: nobody. */
  readonly holder: string
  readonly durationSeconds: number
  /** When the holder took it, by the holder's clock. */
  readonly acquireTime: string | undefined
  /** When the holder said last that it is there, by the holder's clock. */
  readonly renewTime: string | undefined
  /** How often it went from one holder to another. */
  readonly transitions: number
}

/** A Lease as it was read. */
export interface Lease {
  readonly record: LeaseRecord
  /** The object itself, with the resourceVersion that a write is guarded by. */
  readonly object: Readonly<Record<string, unknown>>
  readonly spec: Readonly<Record<string, unknown>>
}

export interface LeaseName {
  readonly namespace: string
  readonly name: string
}

const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const LeaseObject = Schema.Struct({
  kind: Schema.Literal("Lease"),
  metadata: Schema.Struct({ resourceVersion: Schema.NonEmptyString }),
  spec: optional(Schema.Struct({
    holderIdentity: optional(Schema.String),
    leaseDurationSeconds: optional(Schema.Finite),
    acquireTime: optional(Schema.String),
    renewTime: optional(Schema.String),
    leaseTransitions: optional(Schema.Finite)
  }))
})
const decodeLease = Schema.decodeUnknownOption(LeaseObject)
const decodeObject = Schema.decodeUnknownOption(Schema.Record(Schema.String, Schema.Unknown))

/** The Lease of an answer; undefined where the answer is none. What a spec lacks is nobody's, nothing and never. */
export const decode = (answer: unknown): Lease | undefined => {
  const lease = Option.getOrUndefined(decodeLease(answer))
  const object = Option.getOrUndefined(decodeObject(answer))
  if (lease === undefined || object === undefined) return undefined
  const { spec } = lease
  return {
    record: {
      holder: spec?.holderIdentity ?? "",
      durationSeconds: spec?.leaseDurationSeconds ?? 0,
      acquireTime: spec?.acquireTime ?? undefined,
      renewTime: spec?.renewTime ?? undefined,
      transitions: spec?.leaseTransitions ?? 0
    },
    object,
    spec: Option.getOrElse(decodeObject(object["spec"]), () => ({}))
  }
}

const specOf = (record: LeaseRecord) => ({
  holderIdentity: record.holder,
  leaseDurationSeconds: record.durationSeconds,
  acquireTime: record.acquireTime,
  renewTime: record.renewTime,
  leaseTransitions: record.transitions
})

/** What replaces a Lease: another record, and all else of the object as it was read. */
export const encode = ({ object, spec }: Lease, record: LeaseRecord): Readonly<Record<string, unknown>> => ({
  ...object,
  spec: { ...spec, ...specOf(record) }
})

/** A Lease that is not there yet. */
export const newLease = ({ name, namespace }: LeaseName, record: LeaseRecord): Readonly<Record<string, unknown>> => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name, namespace, labels: { "app.kubernetes.io/name": "image-cloner" } },
  spec: specOf(record)
})

/** Whether nobody has written between the two. */
export const isSame = (one: LeaseRecord, other: LeaseRecord): boolean =>
  one.holder === other.holder && one.durationSeconds === other.durationSeconds &&
  one.acquireTime === other.acquireTime && one.renewTime === other.renewTime && one.transitions === other.transitions
