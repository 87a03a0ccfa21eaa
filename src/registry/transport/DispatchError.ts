// Why there was no answer, from undici's and Node's error codes.
// Edge: for whom it was, and what it means for a registry, is Transport.ts's to say.
import { Data } from "effect"
import type { RegistryReason } from "../RegistryError.ts"
import { AddressRefused } from "./AddressPolicy.ts"
import { ProxyFailed } from "./Tunnels.ts"

/** No usable answer. */
export class DispatchError extends Data.TaggedError("DispatchError")<{
  readonly reason: RegistryReason
  readonly detail: string
  /** It never came to a connection on which something could be asked. */
  readonly noConnection?: boolean
  readonly cause?: unknown
}> {}

const codeOf = (error: unknown): string => {
  if (error instanceof AggregateError) return codeOf(error.errors[0])
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : ""
}

const timeouts: ReadonlySet<string> = new Set([
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
  "ETIMEDOUT"
])
// refused, no way there, no such name: whatever the code, Node says at what it happened
const reaching: ReadonlySet<string> = new Set(["connect", "getaddrinfo"])
// Node gives a handshake that the other side ends the code of a connection that breaks later
const cutHandshake = /before secure TLS connection was established/
// what the other side says of ours
const wantsCertificate = /_ALERT_(?:.*CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/
const certificate = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/

/** The advice for a host that is spoken to without TLS. */
export const spokenPlainly = "it is spoken to without, because PLAIN_HTTP_REGISTRIES names it"

const tlsBegins = [String.fromCharCode(0x15, 3), String.fromCharCode(0x16, 3)]

/** The parser of HTTP has found an alert or a handshake of TLS (RFC 8446 §5.1): its type, then the version 3.x. */
const isTlsRecord = (cause: unknown): boolean =>
  cause instanceof Error && "data" in cause && typeof cause.data === "string" &&
  tlsBegins.some((it) => String(cause.data).startsWith(it))

/** What codes mean to people who do not know them. */
const meanings = new Map(Object.entries({
  ENOTFOUND: "DNS knows no such name",
  EAI_AGAIN: "DNS does not answer",
  ECONNREFUSED: "nothing listens there",
  EHOSTUNREACH: "there is no way to its network",
  ENETUNREACH: "there is no way to its network",
  ECONNRESET: "the connection was cut",
  EPIPE: "the connection was cut",
  UND_ERR_SOCKET: "the connection was cut",
  UND_ERR_CONNECT_TIMEOUT: "a firewall, or a policy for egress, may be in the way",
  ETIMEDOUT: "a firewall, or a policy for egress, may be in the way"
}))

const meaningOf = (code: string): string => {
  const meaning = meanings.get(code)
  return meaning === undefined ? "" : `: ${meaning}`
}

/** It has not come to a connection that a request could be sent on. */
const isUnconnected = (error: unknown): boolean => {
  if (error instanceof AggregateError) return isUnconnected(error.errors[0])
  if (!(error instanceof Error)) return false
  return codeOf(error) === "UND_ERR_CONNECT_TIMEOUT" || cutHandshake.test(error.message) ||
    ("syscall" in error && typeof error.syscall === "string" && reaching.has(error.syscall))
}

/** What an error of undici's dispatch comes to. */
export const dispatchError = (cause: unknown): DispatchError => {
  if (cause instanceof AddressRefused) {
    return new DispatchError({ reason: "Refused", detail: cause.message, cause })
  }
  if (cause instanceof ProxyFailed) {
    return new DispatchError({ reason: "Unreachable", detail: cause.message, noConnection: true, cause })
  }
  const code = codeOf(cause)
  const text = cause instanceof Error ? cause.message : String(cause)
  const noConnection = isUnconnected(cause)
  const make = (reason: RegistryReason, detail: string) => new DispatchError({ reason, detail, noConnection, cause })
  if (timeouts.has(code)) return make("Timeout", `no answer in time (${code})${meaningOf(code)}`)
  if (wantsCertificate.test(code)) {
    return make(
      "Unauthorized",
      `the host wants a client certificate that it trusts (${code}); it goes to certs.d/<host> in CERTS_DIR`
    )
  }
  if (certificate.test(code)) {
    return make("Certificate", `the certificate is not trusted (${code}); extra authorities go to CERTS_DIR`)
  }
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG") {
    return make("Certificate", "the host does not speak TLS; hosts without TLS are named in PLAIN_HTTP_REGISTRIES")
  }
  if (isTlsRecord(cause)) return make("Certificate", `the host speaks TLS; ${spokenPlainly}`)
  // undici's parser has names for some of what it finds wrong
  const unparsable = cause instanceof Error && cause.name === "HTTPParserError"
  if (unparsable || code.startsWith("HPE_") || code === "UND_ERR_HEADERS_OVERFLOW") {
    // without its cause, which has the answer's bytes
    return new DispatchError({ reason: "Protocol", detail: `the answer is not HTTP (${code === "" ? text : code})` })
  }
  if (cutHandshake.test(text)) {
    return make(
      "Unreachable",
      `the host ends the TLS handshake (${code}); if it does not speak TLS, it is to be named in PLAIN_HTTP_REGISTRIES`
    )
  }
  return make("Unreachable", `no answer (${code === "" ? text : code})${meaningOf(code)}`)
}
