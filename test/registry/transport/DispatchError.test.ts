// What Node's and undici's codes come to, for people who do not know them.
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { RegistryReason } from "../../../src/registry/RegistryError.ts"
import { dispatchError } from "../../../src/registry/transport/DispatchError.ts"

const failure = (code: string, more: object = {}) => Object.assign(new Error(`failed: ${code}`), { code, ...more })

describe("no answer", () => {
  it.each<[string, RegistryReason, RegExp]>([
    ["ENOTFOUND", "Unreachable", /^no answer \(ENOTFOUND\): DNS knows no such name$/],
    ["EAI_AGAIN", "Unreachable", /DNS does not answer/],
    ["ECONNREFUSED", "Unreachable", /nothing listens there/],
    ["EHOSTUNREACH", "Unreachable", /no way to its network/],
    ["ECONNRESET", "Unreachable", /the connection was cut/],
    ["UND_ERR_SOCKET", "Unreachable", /the connection was cut/],
    [
      "UND_ERR_CONNECT_TIMEOUT",
      "Timeout",
      /^no answer in time \(UND_ERR_CONNECT_TIMEOUT\): a firewall, or a policy for egress/
    ],
    ["UND_ERR_HEADERS_TIMEOUT", "Timeout", /^no answer in time \(UND_ERR_HEADERS_TIMEOUT\)$/],
    ["SELF_SIGNED_CERT_IN_CHAIN", "Certificate", /extra authorities go to CERTS_DIR/],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "Certificate", /PLAIN_HTTP_REGISTRIES/],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "Unauthorized", /certs\.d\/<host> in CERTS_DIR/],
    ["HPE_INVALID_CONSTANT", "Protocol", /not HTTP/],
    ["constructor", "Unreachable", /^no answer \(constructor\)$/]
  ])("with %s is %s, and says what that means", (code, reason, expected) => {
    const error = dispatchError(failure(code))
    assert.strictEqual(error.reason, reason)
    assert.match(error.detail, expected)
  })

  it("on the way to a connection is told from one that was cut", () => {
    assert.isTrue(dispatchError(failure("ECONNREFUSED", { syscall: "connect" })).noConnection)
    assert.isFalse(dispatchError(failure("ECONNRESET", { syscall: "read" })).noConnection)
  })

  it.prop("has a reason and a text, whatever was thrown", [Schema.Union([Schema.String, Schema.Null])], ([thrown]) => {
    const error = dispatchError(thrown)
    assert.strictEqual(error.reason, "Unreachable")
    assert.match(error.detail, /^no answer/)
  })
})
