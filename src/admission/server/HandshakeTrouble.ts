// What is said of a TLS handshake that failed. One alert is worth a word to whoever runs the cluster: the API server does not trust
// our certificate, and with failurePolicy Ignore nothing else would tell. Edge: pure; who says it, and how often, is WebhookServer.ts's.

// Go's client says bad certificate, OpenSSL's unknown authority; between "ALERT" and them are names of versions
const distrust = /ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED)$/

/** A text for the error's code, as Node has it; undefined where nobody tried to speak TLS: a probe of TCP, say. */
export const handshakeTrouble = (code: string | undefined): string | undefined => {
  if (code === undefined || code === "ECONNRESET" || code === "ERR_TLS_HANDSHAKE_TIMEOUT") return undefined
  return distrust.test(code)
    ? `a client does not trust the certificate of the admission webhook (${code}): if it is the API server, the caBundle ` +
      "of the webhook configuration does not fit, or the name that it calls is not in the certificate"
    : `a client and the admission webhook came to no TLS handshake (${code})`
}
