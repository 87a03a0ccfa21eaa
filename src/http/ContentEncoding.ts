// ContentEncoding: what a server says of how a body was encoded, and of what it is. It is a label, and often a wrong one (Apache's mod_mime_magic says
// x-gzip of a layer, look-alikes of S3 aws-chunked): the bytes are judged by their digest. Source: RFC 9110 §8.4.
import { firstOf } from "./HeaderValues.ts"

type Headers = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/** The label, where it says anything. */
export const encodingOf = (headers: Headers): string | undefined => {
  const label = firstOf(headers["content-encoding"])?.trim().toLowerCase()
  return label === undefined || label === "" || label === "identity" ? undefined : label
}

/** For the end of a message about bytes that are not the right ones: labels that are a reason for that. */
export const labelsOf = (headers: Headers): string => {
  const encoding = encodingOf(headers)
  const type = firstOf(headers["content-type"])?.split(";")[0]?.trim().toLowerCase()
  return (encoding === undefined ? "" : `; they came with Content-Encoding: ${encoding}`) +
    (type === "text/html" ? "; they came as text/html: a web page, of a login or an error?" : "")
}
