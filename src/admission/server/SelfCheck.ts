// SelfCheck: a handshake with ourselves, as the API server would make it: the port answers, and with the certificate that it should.
import { Effect } from "effect"
import { X509Certificate } from "node:crypto"
import * as tls from "node:tls"

interface Options {
  readonly host: string
  readonly port: number
  /** PEM: the one that is to be shown. */
  readonly certificate: string
}

const patience = "900 millis" // health checks end after a second

/** What is wrong, in words; undefined: nothing. */
export const selfCheck = ({ certificate, host, port }: Options): Effect.Effect<string | undefined> =>
  Effect.callback<string | undefined>((resume) => {
    const wanted = new X509Certificate(certificate).fingerprint256
    // whether it is trusted is the API server's question: this one is whether it is the right one
    const socket = tls.connect({ host, port, rejectUnauthorized: false }, () => {
      const shown = socket.getPeerX509Certificate()?.fingerprint256
      resume(Effect.succeed(shown === wanted ? undefined : "another certificate is shown than the one that should be"))
    })
    socket.once("error", (error) => resume(Effect.succeed(`no handshake with ourselves: ${error.message}`)))
    return Effect.sync(() => socket.destroy())
  }).pipe(
    Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.succeed("no handshake with ourselves in time") })
  )
