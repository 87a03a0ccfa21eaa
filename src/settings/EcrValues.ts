// EcrValues: the values that new repositories of ECR are made with, each as a codec from its text. Edge: what they are for is
// CloudSettings.ts; the rules are those of ECR's API (CreateRepository, Tag, EncryptionConfiguration).
import { Option, Result, Schema } from "effect"
import { fromText, quote } from "./SettingTypes.ts"

const tagShape = /^(?!aws:)[\p{L}\p{Z}\p{N}_.:/+\-@]{1,128}=[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u

export const tag = (text: string): Result.Result<string, string> =>
  tagShape.test(text)
    ? Result.succeed(text)
    : Result.fail(`${quote(text)} is not key=value with characters that tags have`)

const encryptionShape = /^(?:AES256|KMS(?:_DSSE)?(?:=[\w:/-]{1,2048})?)$/

export const encryption = fromText(
  Schema.String,
  (text) =>
    text === "" || encryptionShape.test(text) ? Result.succeed(text) : Result.fail(`${quote(text)} is not allowed`),
  (value) => value
)

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown)))

/** A JSON object with this member; it is kept as it is written. */
export const policy = (member: string) =>
  fromText(
    Schema.String,
    (text) =>
      text === "" || Option.exists(decodeJson(text), (it) => it[member] !== undefined)
        ? Result.succeed(text)
        : Result.fail(`${quote(text)} is no JSON object with ${member}`),
    (value) => value
  )
