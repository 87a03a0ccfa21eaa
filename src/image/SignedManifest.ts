// What a signed manifest of Docker's schema 1 says: the bytes that were signed, whose digest is the manifest's.
// Source: libtrust's "pretty" JSON signature (jsonsign.go, ParsePrettySignature), the format of `v1+prettyjws`.
// Edge: keys are not judged. Registries and docker made one up for every push, so a signature proves nothing; the digest does.
import { Option, Result, Schema } from "effect"

const Signed = Schema.fromJsonString(Schema.Struct({
  fsLayers: Schema.Unknown,
  signatures: Schema.NonEmptyArray(Schema.Struct({ protected: Schema.String }))
}))
const decodeSigned = Schema.decodeUnknownOption(Signed)

const Header = Schema.fromJsonString(Schema.Struct({
  formatLength: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  formatTail: Schema.String
}))
const decodeHeader = Schema.decodeUnknownOption(Header)

const bytesOf = (text: string): Buffer | undefined => {
  const digits = text.replace(/=+$/, "")
  return /[^A-Za-z0-9_-]/.test(digits) || digits.length % 4 === 1 ? undefined : Buffer.from(digits, "base64url")
}

/**
 * The payload of a signed manifest: its first `formatLength` bytes, then `formatTail`. Undefined where it is not signed; a
 * failure says why the signatures make no sense.
 */
export const signedPayload = (bytes: Uint8Array): Result.Result<Uint8Array | undefined, string> => {
  const signed = Option.getOrUndefined(decodeSigned(new TextDecoder().decode(bytes)))
  if (signed === undefined) return Result.succeed(undefined)
  const headers = signed.signatures.map((it) => {
    const header = bytesOf(it.protected)
    return header === undefined ? undefined : Option.getOrUndefined(decodeHeader(header.toString()))
  })
  const [first] = headers
  if (first === undefined || headers.includes(undefined)) {
    return Result.fail("a signature of the manifest does not say what it signs")
  }
  if (headers.some((it) => it?.formatLength !== first.formatLength || it.formatTail !== first.formatTail)) {
    return Result.fail("the signatures of the manifest do not sign the same")
  }
  const tail = bytesOf(first.formatTail)
  if (tail === undefined || first.formatLength > bytes.length) {
    return Result.fail("the signatures of the manifest sign what is not there")
  }
  return Result.succeed(Buffer.concat([bytes.subarray(0, first.formatLength), tail]))
}
