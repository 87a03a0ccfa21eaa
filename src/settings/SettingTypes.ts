// SettingTypes: the kinds of values that settings have, each as a codec from the text of a key. Edge: which settings there are is
// Settings.ts.
import { Duration, Effect, Result, Schema, SchemaIssue, SchemaTransformation } from "effect"
import { canonicalRegistry } from "../image/ImageReference.ts"

/** What a key's documentation and error messages are made of. */
export interface Documentation {
  readonly description: string
  /** The values that are allowed, to be read after "allowed is". */
  readonly allowed: string
  /** Takes effect with a restart only. */
  readonly restart?: true
}

/** A user's text in a message: quoted, and never a whole file. */
export const quote = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)

/** A codec from the text of a key; `read` says what is wrong with a text. */
export const fromText = <A>(
  type: Schema.Codec<A>,
  read: (text: string) => Result.Result<A, string>,
  write: (value: A) => string
) =>
  Schema.String.pipe(Schema.decodeTo(
    type,
    SchemaTransformation.transformEffect({
      decode: (text: string) =>
        Effect.mapError(Effect.fromResult(read(text)), (message) => new SchemaIssue.InvalidValue({ message })),
      encode: (value: A) => Effect.succeed(write(value))
    })
  ))

export const setting = <A>(codec: Schema.Codec<A, string>, fallback: A, documentation: Documentation) =>
  codec.pipe(
    Schema.withDecodingDefaultKey(Effect.orDie(Schema.encodeEffect(codec)(fallback))),
    Schema.annotate({ ...documentation })
  )

export const integer = (minimum: number, maximum: number) =>
  fromText(
    Schema.Finite,
    (text) => {
      const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN
      return value >= minimum && value <= maximum ? Result.succeed(value) : Result.fail(`${quote(text)} is not allowed`)
    },
    String
  )

const factors: Readonly<Record<string, number>> = {
  "": 1,
  ...Object.fromEntries(["K", "M", "G", "T"].map((unit, at) => [unit, 1000 ** (at + 1)])),
  ...Object.fromEntries(["Ki", "Mi", "Gi", "Ti"].map((unit, at) => [unit, 1024 ** (at + 1)]))
}

const mostBytes = 999_999_999_999_999

/** Bytes as Kubernetes writes quantities; an empty text for none. */
export const bytes = (least: number) =>
  fromText(
    Schema.UndefinedOr(Schema.Int.check(Schema.isBetween({ minimum: least, maximum: mostBytes }))),
    (text) => {
      if (text === "") return Result.succeed(undefined)
      const match = /^([0-9]{1,15}(?:\.[0-9]{1,6})?)([KMGT]i?|)B?$/.exec(text)
      const value = Math.floor(Number(match?.[1]) * (factors[match?.[2] ?? ""] ?? 1))
      return match !== null && value >= least && value <= mostBytes
        ? Result.succeed(value)
        : Result.fail(`${quote(text)} is not allowed`)
    },
    (value) => value === undefined ? "" : String(value)
  )

export const percent = fromText(
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 })),
  (text) => {
    const value = Number(/^([0-9]{1,3})\s*%?$/.exec(text)?.[1] ?? Number.NaN)
    return value <= 100 ? Result.succeed(value) : Result.fail(`${quote(text)} is not allowed`)
  },
  (value) => `${value}%`
)

const numberOf = (text: string | undefined): number => Number(text ?? 0)

/** As Go writes durations, in whole minutes: `90m`, `4h`, `1h30m`. */
export const duration = (least: Duration.Duration, most: Duration.Duration) =>
  fromText(
    Schema.Duration,
    (text) => {
      const match = /^(?=.)(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?$/.exec(text)
      const value = Duration.minutes(numberOf(match?.[1]) * 60 + numberOf(match?.[2]))
      return match !== null && Duration.between(value, { minimum: least, maximum: most })
        ? Result.succeed(value)
        : Result.fail(`${quote(text)} is not allowed`)
    },
    (value) => {
      const all = Math.floor(Duration.toMinutes(value))
      const [hours, rest] = [Math.floor(all / 60), all % 60]
      return `${hours > 0 ? `${hours}h` : ""}${rest > 0 ? `${rest}m` : ""}`
    }
  )

export const boolean = fromText(
  Schema.Boolean,
  (text) =>
    /^(true|false)$/i.test(text)
      ? Result.succeed(text.toLowerCase() === "true")
      : Result.fail(`${quote(text)} is not allowed`),
  String
)

export const oneOf = <const L extends ReadonlyArray<string>>(values: L) =>
  fromText(
    Schema.Literals(values),
    (text) => {
      const value: L[number] | undefined = values.find((it) => it === text)
      return value === undefined ? Result.fail(`${quote(text)} is not allowed`) : Result.succeed(value)
    },
    String
  )

/** Comma separated; each item is read by `item`, spaces around it do not count, the first bad one is named. */
export const list = (item: (text: string) => Result.Result<string, string>) =>
  fromText(
    Schema.Array(Schema.String),
    (text) => Result.all(text.split(",").map((it) => it.trim()).filter((it) => it !== "").map(item)),
    (values) => values.join(",")
  )

export const namespace = (text: string): Result.Result<string, string> =>
  /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)
    ? Result.succeed(text)
    : Result.fail(`${quote(text)} is not the name of a namespace`)

/** The name of an object (RFC 1123, as the API has it for Secrets); an empty text for none. */
export const objectName = fromText(
  Schema.String,
  (text) =>
    text === "" ||
      (text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text))
      ? Result.succeed(text)
      : Result.fail(`${quote(text)} is not the name of a Secret`),
  String
)

export const glob = (text: string): Result.Result<string, string> =>
  /\s/.test(text) ? Result.fail(`${quote(text)} has spaces inside`) : Result.succeed(text)

/** `host=realm-host`: a registry, and a host outside its domain that is its token server. */
export const tokenServer = (text: string): Result.Result<string, string> => {
  const [registry = "", realm = "", ...more] = text.split("=").map((it) => it.trim())
  const hosts = Result.all([canonicalRegistry(registry), canonicalRegistry(realm)])
  if (more.length > 0 || Result.isFailure(hosts)) {
    return Result.fail(`${quote(text)} is not host=realm-host, such as registry.example.com=auth.example.net`)
  }
  return Result.succeed(hosts.success.join("="))
}
