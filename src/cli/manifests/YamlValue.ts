// YamlValue: the nodes of a YAML document as the values that the API machinery reads from them: merge keys, the last of several
// keys of one name, aliases within the bounds of go-yaml. Text is parsed by the library; only what nodes mean is decided here.
import type { Document, Node, Pair, Scalar, YAMLMap, YAMLSeq } from "yaml"

type Yaml = typeof import("yaml")

/** What is wrong or odd, and how far into the text. */
export interface Remark {
  readonly offset: number
  readonly text: string
}

export interface YamlValue {
  readonly value: unknown
  readonly problem: Remark | undefined
  /** Keys that are there twice; the last counts. */
  readonly duplicates: ReadonlyArray<Remark>
}

/** Deeper than anything that is one object; a JSON Schema in a CustomResourceDefinition is at most some dozens deep. */
const deepest = 500

interface Anchored {
  /** Undefined while the anchor's own value is read. */
  readonly value: { readonly of: unknown } | undefined
  /** How many nodes it is, aliases in it followed. */
  readonly nodes: number
}

/**
 * Which share of all nodes may come of aliases, by the number of nodes: documents that are small may be nothing else, and one
 * that multiplies is ended at four million (sigs.k8s.io/yaml/goyaml.v2, decode.go).
 */
const allowedShare = (nodes: number): number =>
  nodes <= 400_000 ? 0.99 : nodes >= 4_000_000 ? 0.1 : 0.99 - 0.89 * ((nodes - 400_000) / 3_600_000)

/** `__proto__` is a key like others. */
const put = (target: Record<string, unknown>, key: string, value: unknown): void => {
  if (key !== "__proto__") target[key] = value
  else Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

/** Reads one document. */
class Reader {
  readonly duplicates: Array<Remark> = []
  readonly #anchors = new Map<string, Anchored>()
  readonly #yaml: Yaml
  problem: Remark | undefined
  #nodes = 0
  #aliased = 0
  #aliases = 0

  constructor(yaml: Yaml) {
    this.#yaml = yaml
  }

  read(node: unknown, depth = 0): unknown {
    if (this.problem !== undefined || !this.#yaml.isNode(node)) return null
    this.#nodes++
    if (depth > deepest) return this.#refuse(node, `it is nested more than ${deepest} deep`)
    if (this.#yaml.isAlias(node)) return this.#alias(node, node.source)
    const anchor = "anchor" in node ? node.anchor : undefined
    if (anchor === undefined) return this.#content(node, depth)
    const before = this.#nodes
    this.#anchors.set(anchor, { value: undefined, nodes: 0 })
    const of = this.#content(node, depth)
    this.#anchors.set(anchor, { value: { of }, nodes: this.#nodes - before + 1 })
    return of
  }

  #refuse(node: Node, text: string): undefined {
    this.problem ??= { offset: node.range?.[0] ?? 0, text }
  }

  #alias(node: Node, name: string): unknown {
    const found = this.#anchors.get(name)
    if (found === undefined) return this.#refuse(node, `there is no anchor ${name} before this alias`)
    if (found.value === undefined) return this.#refuse(node, `anchor ${name} contains itself`)
    this.#aliases++
    this.#nodes += found.nodes
    this.#aliased += found.nodes
    return this.#aliases > 100 && this.#nodes > 1000 && this.#aliased / this.#nodes > allowedShare(this.#nodes)
      ? this.#refuse(node, "its aliases multiply to more than the API server would read")
      : found.value.of
  }

  #content(node: Node, depth: number): unknown {
    if (this.#yaml.isMap(node)) return this.#map(node, depth)
    if (this.#yaml.isSeq(node)) return this.#seq(node, depth)
    return this.#yaml.isScalar(node) ? node.value : null
  }

  #seq(node: YAMLSeq, depth: number): ReadonlyArray<unknown> {
    return node.items.map((it) => this.read(it, depth + 1))
  }

  #map(node: YAMLMap, depth: number): Record<string, unknown> {
    const result: Record<string, unknown> = {}
    const merges: Array<Pair> = []
    for (const pair of node.items) {
      const { key } = pair
      if (!this.#yaml.isScalar(key)) {
        const text = "a key is no text; a template has to be rendered first (helm template, envsubst)"
        this.#refuse(this.#yaml.isNode(key) ? key : node, text)
        return result
      }
      if (isMergeKey(key)) {
        merges.push(pair)
        continue
      }
      const name = key.source ?? String(key.value)
      if (key.anchor !== undefined) this.#anchors.set(key.anchor, { value: { of: key.value }, nodes: 1 })
      if (Object.hasOwn(result, name)) {
        this.duplicates.push({
          offset: key.range?.[0] ?? 0,
          text: `the key ${name} is there twice; the last one counts`
        })
      }
      put(result, name, this.read(pair.value, depth + 1))
    }
    for (const { value } of merges) this.#merge(result, value, depth)
    return result
  }

  /** What is there already counts before what is merged, wherever it stands (yaml.org/type/merge.html). */
  #merge(target: Record<string, unknown>, node: unknown, depth: number): void {
    const value = this.read(node, depth + 1)
    const all: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value]
    for (const from of all) {
      if (typeof from !== "object" || from === null || Array.isArray(from)) {
        if (this.#yaml.isNode(node)) this.#refuse(node, "what << names is no map")
        return
      }
      for (const [name, it] of Object.entries(from)) if (!Object.hasOwn(target, name)) put(target, name, it)
    }
  }
}

const isMergeKey = (key: Scalar): boolean => key.source === "<<" && key.type === "PLAIN"

/** The value of a document that was parsed without errors. */
export const yamlValue = (yaml: Yaml, document: Document): YamlValue => {
  const reader = new Reader(yaml)
  const value = reader.read(document.contents)
  const { duplicates, problem } = reader
  return { value, problem, duplicates }
}

/** Where the value at a path stands, by its key where it has one; the nearest above it that is there where it has none. */
export const offsetOf = (yaml: Yaml, document: Document, path: ReadonlyArray<PropertyKey>): number => {
  let node: unknown = document.contents
  let offset = (yaml.isNode(node) ? node.range?.[0] : undefined) ?? document.range?.[0] ?? 0
  for (const step of path) {
    if (yaml.isMap(node)) {
      const pair = node.items.findLast((it) => yaml.isScalar(it.key) && it.key.source === step)
      if (!yaml.isNode(pair?.key)) return offset
      offset = pair.key.range?.[0] ?? offset
      node = pair.value
    } else if (yaml.isSeq(node)) {
      node = node.items[Number(step)]
      if (!yaml.isNode(node)) return offset
      offset = node.range?.[0] ?? offset
    } else return offset
  }
  return offset
}
