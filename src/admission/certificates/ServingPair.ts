// The certificate that the admission webhook shows, with its key. Edge: where it comes from and when it is renewed is not told here.
import type { Redacted } from "effect"

export interface ServingPair {
  /** PEM: the server's own certificate first, then those between it and the authority. */
  readonly certificate: string
  /** PEM, not encrypted. */
  readonly key: Redacted.Redacted
  /** When the certificate ends, in milliseconds since 1970. */
  readonly notAfter: number
}
