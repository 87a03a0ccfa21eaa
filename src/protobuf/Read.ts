// Read: a message by its table. Nothing is kept of the bytes but views that a table asks for; what is broken anywhere is broken as a
// whole. Edge: a message that comes twice counts as the later one, which protobuf would merge, and no server of Kubernetes writes.
import { Result } from "effect"
import { Cursor, wire } from "./Cursor.ts"
import type { Field, Message } from "./Message.ts"
import { Words } from "./Words.ts"

type Fields = Record<string, unknown>

const words = new Words()

/** Times that were read lately, by their seconds: objects that are made together have the same. */
const times = Array.from({ length: 64 }, () => ({ seconds: 0, text: "1970-01-01T00:00:00Z" }))

/** RFC 3339 as the API server writes it; undefined beyond what a date can be. */
const timeText = (seconds: number): string | undefined => {
  const slot = seconds & (times.length - 1)
  const known = times[slot]
  if (known?.seconds === seconds) return known.text
  const date = new Date(seconds * 1000)
  if (Number.isNaN(date.getTime())) return undefined
  const text = `${date.toISOString().slice(0, -5)}Z`
  times[slot] = { seconds, text }
  return text
}

const wordAt = (cursor: Cursor): string => words.text(cursor.bytes, cursor.at, cursor.end)

/** Goes into a field of bytes: until `leave` the cursor ends where the field does. Answers where it ended before. */
const enter = (cursor: Cursor): number => {
  const { end } = cursor
  const to = cursor.span()
  if (cursor.broken === undefined) cursor.end = to
  return end
}

/** @param end what `enter` has answered */
const leave = (cursor: Cursor, end: number): void => {
  if (cursor.broken !== undefined) return
  cursor.at = cursor.end
  cursor.end = end
}

/** What was read last by `readValues`: each label is read so, and an array for each would be most of what reading leaves behind. */
const values: Array<number | string | undefined> = Array.from({ length: 8 })

/** The fields of the few messages that are no objects, by their numbers: numbers and texts alone. Good until the next are read. */
const readValues = (cursor: Cursor): ReadonlyArray<number | string | undefined> => {
  values.fill(undefined)
  while (cursor.at < cursor.end) {
    const tag = cursor.varint()
    const type = tag & 7
    if (tag < 8 || tag > 63) cursor.skip(type)
    else if (type === wire.varint) values[tag >>> 3] = cursor.varint()
    else if (type === wire.bytes) {
      const end = enter(cursor)
      values[tag >>> 3] = wordAt(cursor)
      leave(cursor, end)
    } else cursor.skip(type)
  }
  return values
}

const readTime = (cursor: Cursor): string | undefined => {
  const [, seconds] = readValues(cursor)
  return typeof seconds === "number" ? timeText(seconds) : undefined
}

const readIntOrText = (cursor: Cursor): number | string => {
  const [, isText, number, text] = readValues(cursor)
  return isText === 1 ? text ?? "" : number ?? 0
}

const readEntry = (cursor: Cursor, into: Fields): void => {
  const [, key, value] = readValues(cursor)
  // no name that Kubernetes allows, and one that would change what the object is
  if (key !== "__proto__") into[String(key ?? "")] = value ?? ""
}

const readView = (cursor: Cursor): Buffer => cursor.bytes.subarray(cursor.at, cursor.end)

/** Adds to what a field has so far. */
const add = (object: Fields, name: string, value: unknown): void => {
  const held = object[name]
  if (Array.isArray(held)) held.push(value)
  else object[name] = [value]
}

/** Puts a value there unless there is none. */
const put = (object: Fields, name: string, value: unknown): void => {
  if (value !== undefined) object[name] = value
}

const readNumber = (cursor: Cursor, { name, type }: Field, object: Fields): void => {
  const value = cursor.varint()
  switch (type._tag) {
    case "Int":
      object[name] = value
      return
    case "Positive":
      if (value !== 0) object[name] = value
      return
    case "Flag":
      object[name] = value !== 0
      return
    default:
      cursor.fail(`${name} is a number`)
  }
}

/** What a field of bytes is; the cursor is at its beginning, and ends where it ends. */
const readBytes = (cursor: Cursor, { name, type }: Field, object: Fields): void => {
  switch (type._tag) {
    case "Text":
      if (cursor.at < cursor.end) object[name] = wordAt(cursor)
      return
    case "Unique":
      if (cursor.at < cursor.end) object[name] = cursor.bytes.toString("utf8", cursor.at, cursor.end)
      return
    case "Texts":
      return add(object, name, wordAt(cursor))
    case "Time":
      return put(object, name, readTime(cursor))
    case "IntOrText":
      return put(object, name, readIntOrText(cursor))
    case "Map":
      object[name] ??= {}
      return readEntry(cursor, object[name] as Fields) // nothing else puts anything there
    case "Bytes":
      return put(object, name, readView(cursor))
    case "One":
      return put(object, name, readObject(cursor, type.message))
    case "Many":
      return add(object, name, readObject(cursor, type.message))
    case "Inline":
      return readInto(cursor, type.message, object)
    case "Made": {
      const value = type.make(readView(cursor))
      if (Result.isFailure(value)) return cursor.fail(value.failure)
      return type.many ? add(object, name, value.success) : put(object, name, value.success)
    }
    default:
      cursor.fail(`${name} is no number`)
  }
}

const readInto = (cursor: Cursor, { fields }: Message, object: Fields): void => {
  while (cursor.at < cursor.end) {
    const tag = cursor.varint()
    const type = tag & 7
    // numbers of fields have 29 bits, and begin with one
    if (tag < 8 || tag > 0xffffffff) return cursor.fail("a field has a number that none has")
    const field = fields[tag >>> 3]
    if (field === undefined) cursor.skip(type)
    else if (type === wire.varint) readNumber(cursor, field, object)
    else if (type === wire.bytes) {
      const end = enter(cursor)
      readBytes(cursor, field, object)
      leave(cursor, end)
    } else cursor.fail(`${field.name} is of wire type ${type}`)
  }
}

const readObject = (cursor: Cursor, message: Message): Fields => {
  const object: Fields = {}
  readInto(cursor, message, object)
  return object
}

/**
 * The object of a message; a text that says what is wrong with it where it is broken.
 * @param from where it begins in the bytes
 * @param to where it ends
 */
export const read = (
  message: Message,
  bytes: Buffer,
  from = 0,
  to: number = bytes.length
): Result.Result<Readonly<Record<string, unknown>>, string> => {
  const cursor = new Cursor(bytes, from, to)
  const object = readObject(cursor, message)
  return cursor.broken === undefined ? Result.succeed(object) : Result.fail(cursor.broken)
}
