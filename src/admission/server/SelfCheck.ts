// Whether the webhook server can be spoken to: a TLS handshake with itself, which must show the certificate that is meant. It finds what
// a look at our own state cannot: a context that OpenSSL took and cannot use, no free connection, a loop that stands still.
import { Clock, Effect } from "effect"
import * as tls from "node:tls"
import type { Check } from "../../telemetry/HealthChecks.ts"

const patience = "1 second"

export interface Expected {
  readonly host: string
  readonly port: number
  /** SHA-256 of the certificate that must be shown, as Node writes it. */
  readonly fingerprint: string
  /** When that certificate ends, in milliseconds since 1970. */
  readonly notAfter: number
}

const handshake = ({ fingerprint, host, port }: Expected): Check =>
  Effect.callback<string | undefined>((resume) => {
    // whom we speak to is told by the fingerprint, and not by an authority
    const socket = tls.connect({ host, port, rejectUnauthorized: false })
    socket.on("error", (error) => resume(Effect.succeed(`no TLS handshake with itself: ${error.message}`)))
    socket.once("close", () => resume(Effect.succeed("no TLS handshake with itself: the connection was closed")))
    socket.once("secureConnect", () => {
      const shown = socket.getPeerX509Certificate()?.fingerprint256
      resume(Effect.succeed(shown === fingerprint ? undefined : "it shows another certificate than the current one"))
      socket.end()
    })
    return Effect.sync(() => void socket.destroy())
  })

/** The problem in words; undefined: it can be spoken to. An answer comes within a second. */
export const selfCheck = (expected: Expected): Check =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    now >= expected.notAfter
      ? Effect.succeed("its certificate has expired")
      : Effect.timeoutOrElse(handshake(expected), {
        duration: patience,
        orElse: () => Effect.succeed("no TLS handshake with itself within a second")
      }))
