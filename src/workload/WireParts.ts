// WireParts: what objects of the API have in common in Protocol Buffers, as far as ApiObjects.ts reads it: metadata, pod specs and
// templates. Numbers of fields: generated.proto of k8s.io/api and apimachinery v0.36.
import { remembered } from "../collections/Remembered.ts"
import { fingerprint, type Leaving } from "../protobuf/Fingerprint.ts"
import * as P from "../protobuf/Message.ts"
import { read } from "../protobuf/Read.ts"
import { Result } from "effect"
import { addedToTemplates } from "./Shape.ts"

const { flag, many, map, message, one, positive, text, time, unique } = P

const rawFields = message({ Raw: [1, P.bytes] })
const managed = message({
  manager: [1, text],
  operation: [2, text],
  time: [4, time],
  fieldsV1: [7, one(rawFields)],
  subresource: [8, text]
})

const mostParsed = 256
const longestParsed = 8 * 1024

/** An owner's uid stands in the sets of what it owns, and makes each another one; nobody who asks for fields asks for it. */
const ownerUid = /"k:\{\\"uid\\":\\"[^"\\]*\\"\}"/g

/** Whatever one chart makes has the same sets of fields, and is compared by the thousand. */
const parsed = remembered(mostParsed, (json): { readonly fields: unknown } => {
  try {
    return { fields: JSON.parse(json) }
  } catch {
    return { fields: undefined } // as if nothing were held: the API server writes it itself
  }
}, { longest: longestParsed })

const parse = (written: string): unknown =>
  parsed(written.includes("\\\"uid\\\"") ? written.replace(ownerUid, "\"k:{}\"") : written).fields

const textOf = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

/** An entry of managedFields whose fields are parsed when somebody asks: of pods, nobody does. */
class ManagedFields {
  readonly manager: string | undefined
  readonly operation: string | undefined
  readonly time: string | undefined
  readonly subresource: string | undefined
  readonly #raw: Buffer | undefined
  #fields: unknown
  constructor(entry: Readonly<Record<string, unknown>>) {
    this.manager = textOf(entry["manager"])
    this.operation = textOf(entry["operation"])
    this.time = textOf(entry["time"])
    this.subresource = textOf(entry["subresource"])
    const fields = entry["fieldsV1"]
    const raw = typeof fields === "object" && fields !== null && "Raw" in fields ? fields.Raw : undefined
    this.#raw = Buffer.isBuffer(raw) ? raw : undefined
  }

  get fieldsV1(): unknown {
    if (this.#raw !== undefined) this.#fields ??= parse(this.#raw.toString("utf8"))
    return this.#fields
  }
}

const managedFields = P.manyMade(managed, (bytes) => Result.map(read(managed, bytes), (it) => new ManagedFields(it)))

const common = {
  name: [1, text],
  generateName: [2, text],
  namespace: [3, text],
  uid: [5, unique],
  resourceVersion: [6, unique],
  generation: [7, positive],
  creationTimestamp: [8, time],
  deletionTimestamp: [9, time],
  labels: [11, map],
  annotations: [12, map],
  ownerReferences: [
    13,
    many(message({ kind: [1, text], name: [3, text], uid: [4, unique], apiVersion: [5, text], controller: [6, flag] }))
  ]
} as const

/** Only what watching and projections read. */
export const metadata = message({ ...common, managedFields: [17, managedFields] })

/** Of objects of which nobody asks who wrote them. */
export const plainMetadata = message(common)

export const secrets = many(message({ name: [1, text] }))
const container = message({ name: [1, text], image: [2, text], imagePullPolicy: [14, text] })
const volume = message({
  name: [1, text],
  source: [2, P.inline(message({ image: [30, one(message({ reference: [1, text], pullPolicy: [2, text] }))] }))]
})

export const podSpec = message({
  volumes: [1, many(volume)],
  containers: [2, many(container)],
  serviceAccountName: [8, text],
  nodeName: [10, text],
  imagePullSecrets: [15, secrets],
  initContainers: [20, many(container)],
  priorityClassName: [24, text],
  ephemeralContainers: [34, many(message({ common: [1, P.inline(container)] }))]
})

export const template = message({
  metadata: [1, one(message({ labels: [11, map], annotations: [12, map] }))],
  spec: [2, one(podSpec)]
})

/** What a template is apart from its images, as Shape.ts has it of JSON. */
const imageless: Leaving = {
  fields: new Map<number, Leaving>([
    [1, { others: true, fields: new Map([[11, addedToTemplates], [12, addedToTemplates]]) }],
    [2, {
      fields: new Map<number, Leaving>([
        [1, {
          fields: new Map<number, Leaving>([[2, {
            fields: new Map<number, Leaving>([[30, { fields: new Map([[1, "whole"]]) }]])
          }]])
        }],
        [2, { fields: new Map([[2, "whole"]]) }],
        [20, { fields: new Map([[2, "whole"]]) }]
      ])
    }]
  ])
}

/** Apart from those of JSON, with which it has nothing in common (WentBack.ts). */
const wireShape = (bytes: Buffer): string | undefined => {
  const shape = fingerprint(bytes, imageless)
  return shape === undefined ? undefined : `wire:${shape}`
}

/** With its shape beside it, which the bytes alone tell. */
export const shaped = P.made(
  template,
  (bytes) => Result.map(read(template, bytes), (it) => ({ ...it, shape: wireShape(bytes) }))
)

/** Conditions, by the numbers of their fields that differ from kind to kind. */
export const conditions = (transition: number, reason: number, words: number) =>
  many(message({
    type: [1, text],
    status: [2, text],
    lastTransitionTime: [transition, time],
    reason: [reason, text],
    message: [words, text]
  }))
