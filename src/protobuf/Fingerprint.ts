// Fingerprint: a hash of a message apart from some of its fields, of its bytes as they are: Kubernetes writes fields and the keys of
// maps in one order. Edge: lengths are not hashed, since those of the messages around what is left out change with it.
import { Cursor, wire } from "./Cursor.ts"

/** What is left out of a message. */
export interface Leaving {
  /** Whether fields that are not named are left out, too. */
  readonly others?: true
  /** By number: the whole field, entries of a map by their keys, or parts of the messages in it. */
  readonly fields: ReadonlyMap<number, "whole" | ReadonlySet<string> | Leaving>
}

class Hash {
  value = 0x811c9dc5

  byte(it: number): void {
    this.value = Math.imul(this.value ^ (it & 0xff), 0x01000193)
  }

  bytes(of: Buffer, from: number, to: number): void {
    let { value } = this
    for (let at = from; at < to; at++) value = Math.imul(value ^ (of[at] ?? 0), 0x01000193)
    this.value = value
  }
}

/** The first text of an entry of a map, which is its key. */
const keyAt = (cursor: Cursor, to: number): string => {
  const entry = new Cursor(cursor.bytes, cursor.at, to)
  if (entry.varint() !== 0x0a) return ""
  const end = entry.span()
  return cursor.bytes.toString("utf8", entry.at, end)
}

const walk = (cursor: Cursor, { fields, others }: Leaving, hash: Hash): void => {
  while (cursor.at < cursor.end) {
    const from = cursor.at
    const tag = cursor.varint()
    const leaving = fields.get(Math.floor(tag / 8))
    if ((tag & 7) !== wire.bytes || leaving === undefined || leaving === "whole") {
      cursor.skip(tag & 7)
      if (leaving === undefined && others !== true) hash.bytes(cursor.bytes, from, cursor.at)
      continue
    }
    const to = cursor.span()
    if ("fields" in leaving) {
      hash.byte(tag)
      const part = new Cursor(cursor.bytes, cursor.at, to)
      walk(part, leaving, hash)
      if (part.broken !== undefined) cursor.fail(part.broken)
      hash.byte(0)
    } else if (!leaving.has(keyAt(cursor, to))) {
      hash.bytes(cursor.bytes, from, to)
    }
    if (cursor.broken === undefined) cursor.at = to
  }
}

/** 32 bits as a short text; undefined where the message is broken. */
export const fingerprint = (bytes: Buffer, leaving: Leaving): string | undefined => {
  const cursor = new Cursor(bytes)
  const hash = new Hash()
  walk(cursor, leaving, hash)
  return cursor.broken === undefined ? (hash.value >>> 0).toString(36) : undefined
}
