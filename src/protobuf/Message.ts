// Message: which fields of a message are read, and what they become: objects as the same message has them in JSON, without what
// Kubernetes leaves out there. Fields that are in no table are skipped by their length. Edge: tables are their users'.
import type { Result } from "effect"

/** What somebody makes of the bytes of a field, or what is wrong with them. */
export type Make = (bytes: Buffer) => Result.Result<unknown, string>

/** What a field of a message becomes. */
export type Type =
  /** Text; empty is left out. */
  | { readonly _tag: "Text" }
  /** The same of what hardly comes twice: it is not looked up among what came before. */
  | { readonly _tag: "Unique" }
  /** A number, also 0. */
  | { readonly _tag: "Int" }
  /** A number; 0 is left out. */
  | { readonly _tag: "Positive" }
  | { readonly _tag: "Flag" }
  /** `google.protobuf.Timestamp` as RFC 3339, to the second; an empty one is left out. */
  | { readonly _tag: "Time" }
  /** `k8s.io.apimachinery.pkg.util.intstr.IntOrString`. */
  | { readonly _tag: "IntOrText" }
  /** Texts by texts; empty ones are kept. */
  | { readonly _tag: "Map" }
  /** The bytes themselves, a view of what is read. */
  | { readonly _tag: "Bytes" }
  | { readonly _tag: "Texts" }
  | { readonly _tag: "One"; readonly message: Message }
  | { readonly _tag: "Many"; readonly message: Message }
  /** Its fields become those of what it is in. */
  | { readonly _tag: "Inline"; readonly message: Message }
  | { readonly _tag: "Made"; readonly message: Message; readonly make: Make; readonly many: boolean }

export interface Field {
  readonly name: string
  readonly type: Type
}

/** Fields by their numbers. */
export interface Message {
  readonly fields: ReadonlyArray<Field | undefined>
}

export const text: Type = { _tag: "Text" }
export const unique: Type = { _tag: "Unique" }
export const int: Type = { _tag: "Int" }
export const positive: Type = { _tag: "Positive" }
export const flag: Type = { _tag: "Flag" }
export const time: Type = { _tag: "Time" }
export const intOrText: Type = { _tag: "IntOrText" }
export const map: Type = { _tag: "Map" }
export const bytes: Type = { _tag: "Bytes" }
export const texts: Type = { _tag: "Texts" }
export const one = (message: Message): Type => ({ _tag: "One", message })
export const many = (message: Message): Type => ({ _tag: "Many", message })
export const inline = (message: Message): Type => ({ _tag: "Inline", message })
export const made = (of: Message, make: Make): Type => ({ _tag: "Made", message: of, make, many: false })
export const manyMade = (of: Message, make: Make): Type => ({ _tag: "Made", message: of, make, many: true })

/** A table of fields, each with its number as `generated.proto` has it. */
export const message = (fields: Readonly<Record<string, readonly [number: number, type: Type]>>): Message => {
  const table: Array<Field | undefined> = []
  for (const [name, [number, type]] of Object.entries(fields)) table[number] = { name, type }
  return { fields: Array.from(table) }
}
