// ContentEncoding: what a server says of how a body was encoded. It is a label, and often a wrong one (Apache's mod_mime_magic says
// x-gzip of a layer, look-alikes of S3 aws-chunked): the bytes are judged by their digest. Source: RFC 9110 §8.4.
import { firstOf } from "./HeaderValues.ts"

type Headers = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/** The label, where it says anything. */
export const encodingOf = (headers: Headers): string | undefined => {
  const label = firstOf(headers["content-encoding"])?.trim().toLowerCase()
  return label === undefined || label === "" || label === "identity" ? undefined : label
}

/** For the end of a message about bytes that are not the right ones: the label is a reason for that. */
export const encodedAs = (encoding: string | undefined): string =>
  encoding === undefined ? "" : `; they came with Content-Encoding: ${encoding}`
