// QuickYaml: a document that is as nearly all are, as its value, some twenty times as fast as by its nodes. Whatever a reader may
// have something to say of is left to the nodes (YamlValue.ts): errors, anchors, tags, merge keys, keys that are there twice. Plain
// texts mean what YamlSchema.ts says, so that both read the same.
import { Result } from "effect"
import type { Event } from "js-yaml"

export interface QuickDocument {
  readonly value: unknown
  /** How far into the text stands what is at a path, by its key where it has one; or the nearest above it that is there. */
  readonly offsetOf: (path: ReadonlyArray<PropertyKey>) => number
}

/** @returns undefined: it is left to the other reader */
export type QuickYaml = (text: string) => QuickDocument | undefined

export type JsYaml = Pick<typeof import("js-yaml"), "EVENT_ID" | "SCALAR_STYLE" | "getScalarValue" | "parseEvents">

/** The events of one document, read in their order. */
class Events {
  readonly #js: JsYaml
  readonly #plain: (text: string) => unknown
  readonly #text: string
  readonly #events: ReadonlyArray<Event>
  /** Behind the document's own. */
  #at = 1
  isLeft = false

  constructor(js: JsYaml, plain: (text: string) => unknown, text: string, events: ReadonlyArray<Event>) {
    this.#js = js
    this.#plain = plain
    this.#text = text
    this.#events = events
  }

  read(): unknown {
    const event = this.#events[this.#at++]
    const { EVENT_ID, SCALAR_STYLE } = this.#js
    if (event === undefined || !("tagStart" in event) || event.anchorStart >= 0 || event.tagStart >= 0) {
      return this.#leave()
    }
    if (event.type === EVENT_ID.SEQUENCE) return this.#sequence()
    if (event.type === EVENT_ID.MAPPING) return this.#mapping()
    const text = this.#js.getScalarValue(this.#text, event)
    return event.style === SCALAR_STYLE.PLAIN ? this.#plain(text) : text
  }

  #leave(): undefined {
    this.isLeft = true
    this.#at = this.#events.length
  }

  #isOver(): boolean {
    const event = this.#events[this.#at]
    if (event !== undefined && event.type !== this.#js.EVENT_ID.POP) return false
    this.#at++
    return true
  }

  #sequence(): ReadonlyArray<unknown> {
    const items: Array<unknown> = []
    while (!this.#isOver()) {
      // of an item that is empty it is not known where it stands
      if (this.#startOf(this.#at) === undefined) this.#leave()
      else items.push(this.read())
    }
    return items
  }

  #mapping(): Readonly<Record<string, unknown>> {
    const fields: Record<string, unknown> = {}
    while (!this.#isOver()) {
      const name = this.#key()
      if (name === undefined || name === "__proto__" || Object.hasOwn(fields, name)) this.#leave()
      else fields[name] = this.read()
    }
    return fields
  }

  #key(): string | undefined {
    const key = this.#events[this.#at++]
    const { EVENT_ID, SCALAR_STYLE } = this.#js
    if (key?.type !== EVENT_ID.SCALAR || key.anchorStart >= 0 || key.tagStart >= 0) return undefined
    // of several lines or of none: js-yaml takes some that are no keys to the specification
    if (!key.fast || key.valueStart < 0) return undefined
    const name = this.#js.getScalarValue(this.#text, key)
    return name === "<<" && key.style === SCALAR_STYLE.PLAIN ? undefined : name
  }

  offsetOf(path: ReadonlyArray<PropertyKey>): number {
    const { EVENT_ID } = this.#js
    let at = 1
    let offset = this.#startOf(at) ?? 0
    for (const step of path) {
      const type = this.#events[at]?.type
      const found = type === EVENT_ID.MAPPING
        ? this.#field(at + 1, step)
        : type === EVENT_ID.SEQUENCE
        ? this.#item(at + 1, Number(step))
        : undefined
      if (found === undefined) return offset
      offset = this.#startOf(found) ?? offset
      at = type === EVENT_ID.MAPPING ? found + 1 : found
    }
    return offset
  }

  /** Where an event begins; what is empty has no place. */
  #startOf(at: number): number | undefined {
    const event = this.#events[at]
    if (event === undefined) return undefined
    if ("start" in event) return event.start
    if (!("valueStart" in event) || event.valueStart < 0) return undefined
    const { FOLDED_BLOCK, LITERAL_BLOCK } = this.#js.SCALAR_STYLE
    // the text of a block begins on the line behind its head
    return event.valueStart - (event.style === LITERAL_BLOCK || event.style === FOLDED_BLOCK ? 1 : 0)
  }

  /** Behind what begins at an event. */
  #behind(at: number): number {
    const { EVENT_ID } = this.#js
    for (let depth = 0;; at++) {
      const type = this.#events[at]?.type
      if (type === undefined) return at
      if (type === EVENT_ID.MAPPING || type === EVENT_ID.SEQUENCE) depth++
      else if (type === EVENT_ID.POP) depth--
      if (depth <= 0) return at + 1
    }
  }

  /** The key of a field among those that begin at an event. */
  #field(at: number, name: PropertyKey): number | undefined {
    const { EVENT_ID } = this.#js
    for (let key = this.#events[at]; key?.type === EVENT_ID.SCALAR; key = this.#events[at]) {
      if (this.#js.getScalarValue(this.#text, key) === name) return at
      at = this.#behind(at + 1)
    }
    return undefined
  }

  #item(at: number, index: number): number | undefined {
    if (!Number.isInteger(index)) return undefined
    for (let passed = 0; passed < index && this.#isThere(at); passed++) at = this.#behind(at)
    return this.#isThere(at) ? at : undefined
  }

  #isThere(at: number): boolean {
    const event = this.#events[at]
    return event !== undefined && event.type !== this.#js.EVENT_ID.POP
  }
}

/** What js-yaml takes in places where nobody else does: tabs as indentation, something on the line of a document's marker. */
const odd = /^ *\t|^---[ \t]+[^\s#]|^\.\.\./m

/** @param plain what a plain text means */
export const quickYaml = (js: JsYaml, plain: (text: string) => unknown): QuickYaml => (text) => {
  if (odd.test(text)) return undefined
  // what it refuses the other reader may take, or has better words for
  const parsed = Result.try({ try: () => js.parseEvents(text, {}), catch: (error) => error })
  if (Result.isFailure(parsed)) return undefined
  const events = parsed.success
  const [first] = events
  // an indented `---` is a text; js-yaml begins a document there
  if (first?.type !== js.EVENT_ID.DOCUMENT || (first.explicitStart && !text.startsWith("---"))) return undefined
  if (events.some((it) => it !== first && it.type === js.EVENT_ID.DOCUMENT)) return undefined
  const reader = new Events(js, plain, text, events)
  const value = reader.read()
  return reader.isLeft ? undefined : { value, offsetOf: (path) => reader.offsetOf(path) }
}
