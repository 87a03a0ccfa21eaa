// The config of an image that was converted from Docker's schema 1, as docker itself made it of such an image. Source: moby
// v24, image/v1/imagev1.go (MakeConfigFromV1Config, HistoryFromConfig) and the structs V1Image and container.Config.
// Edge: names of members count exactly; Go would take them in any case of letters.
import { Option, Result, Schema } from "effect"
import type { Digest } from "../../image/Digest.ts"
import { arrayText, mapText, membersOf, stringText, structText } from "./Schema1Json.ts"

/** Members that Go reads as its zero value where they are null or absent. */
const nullable = <S extends Schema.Constraint>(of: S) => Schema.optionalKey(Schema.NullOr(of))
const Text = nullable(Schema.String)
const Flag = nullable(Schema.Boolean)
const Int = nullable(Schema.Int)
const Texts = nullable(Schema.Array(Schema.String))
/** docker's StrSlice: one string stands for a list of it. */
const Words = nullable(Schema.Union([Schema.Array(Schema.String), Schema.String]))
const Names = nullable(Schema.Record(Schema.String, Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown))))

const Health = Schema.Struct({ Test: Texts, Interval: Int, Timeout: Int, StartPeriod: Int, Retries: Int })
const ContainerConfig = Schema.Struct({
  Hostname: Text,
  Domainname: Text,
  User: Text,
  AttachStdin: Flag,
  AttachStdout: Flag,
  AttachStderr: Flag,
  ExposedPorts: Names,
  Tty: Flag,
  OpenStdin: Flag,
  StdinOnce: Flag,
  Env: Texts,
  Cmd: Words,
  Healthcheck: nullable(Health),
  ArgsEscaped: Flag,
  Image: Text,
  Volumes: Names,
  WorkingDir: Text,
  Entrypoint: Words,
  NetworkDisabled: Flag,
  MacAddress: Text,
  OnBuild: Texts,
  Labels: nullable(Schema.Record(Schema.String, Schema.String)),
  StopSignal: Text,
  StopTimeout: Int,
  Shell: Words
})

/** What docker reads of a layer's `v1Compatibility`. */
const V1Image = Schema.Struct({
  id: Text,
  parent: Text,
  comment: Text,
  created: Text,
  container: Text,
  container_config: nullable(ContainerConfig),
  docker_version: Text,
  author: Text,
  config: nullable(ContainerConfig),
  architecture: Text,
  variant: Text,
  os: Text,
  throwaway: Flag
})
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(V1Image))

/** One entry of the history, top or not. */
export interface V1Entry {
  readonly json: string
  readonly id: string
  readonly parent: string
  /** It has no layer, whatever blob it names. */
  readonly throwaway: boolean
  readonly image: typeof V1Image.Type
  readonly created: string
}

const moment = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,18}))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

/** A time as Go's RFC3339Nano writes it; undefined where Go would not read it. */
const timeText = (text: string | null | undefined): string | undefined => {
  if (text === null || text === undefined) return "0001-01-01T00:00:00Z"
  const match = moment.exec(text)
  if (match === null) return undefined
  const [, year = "", month = "", day = "", hour = "", minute = "", second = "", fraction = "", zone = ""] = match
  const date = new Date(Date.UTC(2000 + Number(year) % 400, Number(month) - 1, Number(day)))
  const real = date.getUTCDate() === Number(day) && date.getUTCMonth() === Number(month) - 1
  if (!real || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const digits = fraction.slice(0, 9).replace(/0+$/, "")
  return `${text.slice(0, 19)}${digits === "" ? "" : `.${digits}`}${/^[+-]00:00$/.test(zone) ? "Z" : zone}`
}

/** Reads one `v1Compatibility`; the failure says why it is refused. */
export const readEntry = (json: string): Result.Result<V1Entry, string> => {
  const image = Option.getOrUndefined(decode(json))
  if (image === undefined) return Result.fail("an entry of its history is not what docker wrote")
  const created = timeText(image.created)
  if (created === undefined) return Result.fail("an entry of its history was created at no time")
  return Result.succeed({
    json,
    id: image.id ?? "",
    parent: image.parent ?? "",
    throwaway: image.throwaway === true,
    image,
    created
  })
}

const filled = (text: string | null | undefined): string | undefined =>
  text === null || text === undefined || text === "" ? undefined : stringText(text)
const wordsOf = (words: string | ReadonlyArray<string> | null | undefined): ReadonlyArray<string> | null =>
  typeof words === "string" ? [words] : words ?? null
const listText = (words: ReadonlyArray<string> | null): string =>
  words === null ? "null" : arrayText(words.map(stringText))
const namesText = (names: Readonly<Record<string, unknown>> | null | undefined): string =>
  names === null || names === undefined ? "null" : mapText(Object.keys(names).map((it) => [it, "{}"]))
const nonempty = (text: string): string | undefined =>
  text === "null" || text === "[]" || text === "{}" ? undefined : text
const flag = (is: boolean | null | undefined): string => String(is === true)
const numeral = (of: number | null | undefined): string | undefined => of ? String(of) : undefined

const healthText = (health: typeof Health.Type): string =>
  structText([
    ["Test", nonempty(listText(health.Test ?? null))],
    ["Interval", numeral(health.Interval)],
    ["Timeout", numeral(health.Timeout)],
    ["StartPeriod", numeral(health.StartPeriod)],
    ["Retries", numeral(health.Retries)]
  ])

/** `container.Config`, its members in the order of the struct. */
const containerText = (of: typeof ContainerConfig.Type): string =>
  structText([
    ["Hostname", stringText(of.Hostname ?? "")],
    ["Domainname", stringText(of.Domainname ?? "")],
    ["User", stringText(of.User ?? "")],
    ["AttachStdin", flag(of.AttachStdin)],
    ["AttachStdout", flag(of.AttachStdout)],
    ["AttachStderr", flag(of.AttachStderr)],
    ["ExposedPorts", nonempty(namesText(of.ExposedPorts))],
    ["Tty", flag(of.Tty)],
    ["OpenStdin", flag(of.OpenStdin)],
    ["StdinOnce", flag(of.StdinOnce)],
    ["Env", listText(of.Env ?? null)],
    ["Cmd", listText(wordsOf(of.Cmd))],
    ["Healthcheck", of.Healthcheck === null || of.Healthcheck === undefined ? undefined : healthText(of.Healthcheck)],
    ["ArgsEscaped", of.ArgsEscaped === true ? "true" : undefined],
    ["Image", stringText(of.Image ?? "")],
    ["Volumes", namesText(of.Volumes)],
    ["WorkingDir", stringText(of.WorkingDir ?? "")],
    ["Entrypoint", listText(wordsOf(of.Entrypoint))],
    ["NetworkDisabled", of.NetworkDisabled === true ? "true" : undefined],
    ["MacAddress", filled(of.MacAddress)],
    ["OnBuild", listText(of.OnBuild ?? null)],
    [
      "Labels",
      of.Labels === null || of.Labels === undefined
        ? "null"
        : mapText(Object.entries(of.Labels).map(([name, value]) => [name, stringText(value)]))
    ],
    ["StopSignal", filled(of.StopSignal)],
    ["StopTimeout", of.StopTimeout === null || of.StopTimeout === undefined ? undefined : String(of.StopTimeout)],
    ["Shell", nonempty(listText(wordsOf(of.Shell)))]
  ])

/** Its members as docker reads and writes them again: those that it does not know are lost. */
const rewritten = ({ created, image }: V1Entry): Map<string, string> => {
  const members: ReadonlyArray<readonly [string, string | undefined]> = [
    ["comment", filled(image.comment)],
    ["created", stringText(created)],
    ["container", filled(image.container)],
    ["container_config", containerText(image.container_config ?? {})],
    ["docker_version", filled(image.docker_version)],
    ["author", filled(image.author)],
    ["config", image.config === null || image.config === undefined ? undefined : containerText(image.config)],
    ["architecture", filled(image.architecture)],
    ["variant", filled(image.variant)],
    ["os", filled(image.os)]
  ]
  return new Map(members.flatMap(([name, text]) => text === undefined ? [] : [[name, text] as const]))
}

/** Dotted numbers by value; what is no number is 0 (moby, api/types/versions). */
const isBefore = (version: string, other: ReadonlyArray<number>): boolean => {
  const parts = version.split(".")
  for (let at = 0; at < Math.max(parts.length, other.length); at++) {
    const part = /^[+-]?\d+$/.test(parts[at] ?? "") ? Number(parts[at]) : 0
    const wanted = other[at] ?? 0
    if (part !== wanted) return part < wanted
  }
  return false
}

/** Older ones wrote members that are left out as soon as they are empty. */
const firstToKeep = [1, 8, 3]

const notOfConfigs = ["id", "parent", "Size", "parent_id", "layer_id", "throwaway"]

const historyText = (entry: V1Entry, empty: boolean): string =>
  structText([
    ["created", stringText(entry.created)],
    ["author", filled(entry.image.author)],
    ["created_by", filled(wordsOf(entry.image.container_config?.Cmd)?.join(" "))],
    ["comment", filled(entry.image.comment)],
    ["empty_layer", empty ? "true" : undefined]
  ])

/** An entry of the history, and the layer that it made, if any. */
export interface Step {
  readonly entry: V1Entry
  readonly diffId: Digest | undefined
}

/**
 * The config's text, of the steps base first, of which the last one describes the image. Where that says neither, it is of
 * the given architecture and for Linux: without the two no runtime takes it.
 */
export const configText = (steps: ReadonlyArray<Step>, top: V1Entry, architecture: string): string => {
  const members = isBefore(top.image.docker_version ?? "", firstToKeep) ? rewritten(top) : membersOf(top.json)
  for (const name of notOfConfigs) members.delete(name)
  if (filled(top.image.os) === undefined) members.set("os", stringText("linux"))
  if (filled(top.image.architecture) === undefined) members.set("architecture", stringText(architecture))
  const diffIds = steps.flatMap(({ diffId }) => diffId === undefined ? [] : [stringText(diffId)])
  members.set("rootfs", structText([["type", stringText("layers")], ["diff_ids", arrayText(diffIds)]]))
  members.set("history", arrayText(steps.map(({ diffId, entry }) => historyText(entry, diffId === undefined))))
  return mapText(members)
}
