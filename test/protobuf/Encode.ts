// Writes what src/protobuf reads: objects by the same tables, with whatever a test wants to be around.
import type { Field, Message } from "../../src/protobuf/Message.ts"

const varint = (value: number): Buffer => {
  const bytes: Array<number> = []
  let rest = BigInt.asUintN(64, BigInt(value))
  do {
    const byte = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest === 0n ? byte : byte | 0x80)
  } while (rest !== 0n)
  return Buffer.from(bytes)
}

/** A field that holds a number. */
export const numberField = (number: number, value: number): Buffer => Buffer.concat([varint(number * 8), varint(value)])

/** A field that holds bytes: a text or a message. */
export const bytesField = (number: number, value: Buffer | string): Buffer => {
  const bytes = Buffer.from(value)
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes])
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const listOf = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

const timeOf = (value: unknown): Buffer => numberField(1, Math.floor(Date.parse(String(value)) / 1000))

const encodeField = (number: number, { type }: Field, value: unknown): Buffer => {
  switch (type._tag) {
    case "Text":
    case "Unique":
      return bytesField(number, String(value))
    case "Int":
    case "Positive":
      return numberField(number, Number(value))
    case "Flag":
      return numberField(number, value === true ? 1 : 0)
    case "Time":
      return bytesField(number, timeOf(value))
    case "IntOrText":
      return bytesField(
        number,
        typeof value === "string"
          ? Buffer.concat([numberField(1, 1), bytesField(3, value)])
          : Buffer.concat([numberField(1, 0), numberField(2, Number(value))])
      )
    case "Map":
      return Buffer.concat(
        Object.entries(isObject(value) ? value : {}).map(([key, it]) =>
          bytesField(number, Buffer.concat([bytesField(1, key), bytesField(2, String(it))]))
        )
      )
    // fields of managedFields, which JSON has as an object
    case "Bytes":
      return bytesField(number, JSON.stringify(value))
    case "Texts":
      return Buffer.concat(listOf(value).map((it) => bytesField(number, String(it))))
    case "One":
      return bytesField(number, encode(type.message, value))
    case "Many":
      return Buffer.concat(listOf(value).map((it) => bytesField(number, encode(type.message, it))))
    case "Made":
      return type.many
        ? Buffer.concat(listOf(value).map((it) => bytesField(number, encode(type.message, it))))
        : bytesField(number, encode(type.message, value))
    case "Inline":
      return Buffer.alloc(0) // its fields are those of the object around it
  }
}

/** The bytes of an object. What the table does not have is left out, as is what is null. */
export const encode = ({ fields }: Message, object: unknown): Buffer =>
  Buffer.concat(fields.flatMap((field, number) => {
    if (field === undefined || !isObject(object)) return []
    if (field.type._tag === "Inline") return [bytesField(number, encode(field.type.message, object))]
    // FieldsV1 is a message around bytes here, and the object itself in JSON
    const value = field.name === "Raw" ? object : object[field.name]
    return value === undefined || value === null ? [] : [encodeField(number, field, value)]
  }))
