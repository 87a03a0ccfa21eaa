// YamlSchema: which plain texts of YAML are numbers, booleans or null: those that the API machinery takes for such. Both readers, by
// nodes and quick, have it from here.

type Yaml = typeof import("yaml")

/** Tags whose values JSON has none for are read as the texts they are, as go-yaml does on the way to JSON; merges are ours. */
const left = new Set(["timestamp", "intTime", "floatTime", "binary", "omap", "pairs", "set", "merge"])
const nameOf = (tag: unknown): unknown =>
  typeof tag === "object" && tag !== null
    ? ("format" in tag && tag.format === "TIME") ? "intTime" : "tag" in tag ? tag.tag : undefined
    : tag

export const yamlOptions = {
  // what API servers read is YAML 1.1: `yes` is no text there
  schema: "yaml-1.1",
  customTags: <A>(tags: Array<A>) => tags.filter((it) => !left.has(String(nameOf(it)).replace(/^.*:/, ""))),
  resolveKnownTags: false,
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: "silent"
} as const

/** What a plain text means, by the parser's own tags. */
export const plainTexts = (yaml: Yaml): (text: string) => unknown => {
  const { schema } = new yaml.Document(null, yamlOptions)
  const tags = schema.tags.flatMap((it) => "test" in it && it.test !== undefined && it.default === true ? [it] : [])
  return (text) => {
    const tag = tags.find((it) => it.test?.test(text))
    const value: unknown = tag === undefined ? text : tag.resolve(text, () => {}, { intAsBigInt: false })
    return yaml.isScalar(value) ? value.value : value
  }
}
