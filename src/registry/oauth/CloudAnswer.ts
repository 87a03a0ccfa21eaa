// CloudAnswer: what a cloud's service for tokens has answered: a token and its end, or the words of a refusal. Edge: no answer at
// all is a DispatchError; which member has the token, the caller says.
// Sources: RFC 6749 §5 (Entra, Google), Azure's IMDS reference, GKE's metadata server (text), distribution's errors (ACR).
import { Option, Redacted, Schema } from "effect"
import { firstOf } from "../../http/HeaderValues.ts"
import type { Incoming } from "../transport/Dispatch.ts"

const Members = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))
const membersOf = ({ body }: Incoming) => Option.getOrUndefined(Schema.decodeOption(Members)(body.toString("utf8")))

/** A token reads as one word; anything else would smuggle headers. */
const isToken = (it: unknown): it is string =>
  typeof it === "string" && it.length <= 32 * 1024 && /^[\x21-\x7e]+$/.test(it)

export interface GivenToken {
  readonly token: Redacted.Redacted
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

/** The `exp` of a JWT, as epoch milliseconds. Nothing is believed but its end: whoever takes the token judges it. */
const endOf = (jwt: string): number | undefined => {
  const payload = Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString("utf8")
  const exp = Option.getOrUndefined(Schema.decodeOption(Members)(payload))?.["exp"]
  return typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : undefined
}

/**
 * The token that is this member of a 200, undefined where there is none. It ends after `expires_in` seconds, or at its own `exp`;
 * where neither is said, after `otherwise` milliseconds from `now` (epoch milliseconds).
 */
export const tokenIn = (answer: Incoming, member: string, now: number, otherwise: number): GivenToken | undefined => {
  const members = answer.status === 200 ? membersOf(answer) : undefined
  const token = members?.[member]
  if (members === undefined || !isToken(token)) return undefined
  // Azure's metadata service writes numbers as texts
  const seconds = Number(members["expires_in"] ?? Number.NaN)
  const expiresAt = Number.isFinite(seconds) ? now + seconds * 1000 : endOf(token) ?? now + otherwise
  return { token: Redacted.make(token, { label: "cloud token" }), expiresAt }
}

const isText = (it: unknown): it is string => typeof it === "string" && it !== ""

/** The words of `errors`, as registries write them. */
const errorsOf = (errors: unknown): ReadonlyArray<string> =>
  Array.isArray(errors)
    ? errors.flatMap((it: unknown) => {
      if (typeof it !== "object" || it === null) return []
      const { code, message } = { code: undefined, message: undefined, ...it }
      return [[code, message].filter(isText).join(": ")]
    })
    : []

/** A refusal in the service's own words, its status where it has none. What we have asked with is not repeated. */
export const wordsOf = (answer: Incoming, secrets: ReadonlyArray<Redacted.Redacted> = []): string => {
  const members = membersOf(answer)
  const said = [
    members?.["error"],
    members?.["error_description"],
    members?.["message"],
    ...errorsOf(members?.["errors"])
  ]
    .filter(isText).join(": ")
  const text = members === undefined ? answer.body.toString("utf8").trim() : said
  const safe = secrets.reduce((it, secret) => it.replaceAll(Redacted.value(secret), "…"), text)
  return safe === "" ? `status ${answer.status}` : `status ${answer.status}: ${safe}`
}

/** Is this what a refusal of Google's or Azure's metadata service looks like? Else something else is at its address. */
const isMetadataService = (answer: Incoming): boolean =>
  firstOf(answer.headers["metadata-flavor"]) === "Google" || isText(membersOf(answer)?.["error"])

/** What a refusal by whatever is at a metadata service's address comes to, in words. */
export const metadataWordsOf = (answer: Incoming): string =>
  isMetadataService(answer)
    ? wordsOf(answer)
    : `the metadata service does not answer: what is at its address says ${wordsOf(answer)}`

/** May the same succeed later? */
export const isPassing = ({ status }: Incoming): boolean =>
  status === 408 || status === 410 || status === 425 || status === 429 || status >= 500
