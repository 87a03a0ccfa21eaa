// A serving pair as TLS takes it. It is judged before it is used: OpenSSL takes a key of another type than the certificate's without a
// word, and every handshake fails from then on. Edge: whether clients trust it is not known here.
import { Redacted, Result } from "effect"
import { createPrivateKey, X509Certificate } from "node:crypto"
import * as tls from "node:tls"
import type { ServingPair } from "../certificates/ServingPair.ts"

export interface PairInUse {
  readonly pair: ServingPair
  /** SHA-256 of the server's own certificate, as Node writes it. */
  readonly fingerprint: string
  /** As OpenSSL writes it, for people. */
  readonly validTo: string
}

/** What the server is given; the key is plain in it, so that it is not kept. */
export const contextOptions = (pair: ServingPair): tls.SecureContextOptions => ({
  cert: pair.certificate,
  key: Redacted.value(pair.key),
  minVersion: "TLSv1.2"
})

/** The pair made ready, or why it cannot be served. Nothing of the key is in that. */
export const judgePair = (pair: ServingPair): Result.Result<PairInUse, string> => {
  const certificate = Result.try(() => new X509Certificate(pair.certificate))
  if (Result.isFailure(certificate)) return Result.fail("the certificate is no PEM certificate")
  const key = Result.try(() => createPrivateKey(Redacted.value(pair.key)))
  if (Result.isFailure(key)) return Result.fail("the key is encrypted or no PEM private key")
  if (!certificate.success.checkPrivateKey(key.success)) {
    return Result.fail("certificate and key belong to different pairs")
  }
  return Result.isSuccess(Result.try(() => tls.createSecureContext(contextOptions(pair))))
    ? Result.succeed({
      pair,
      fingerprint: certificate.success.fingerprint256,
      validTo: certificate.success.validTo
    })
    : Result.fail("certificate or key is refused by OpenSSL")
}

export const isSamePair = (one: ServingPair, other: ServingPair): boolean =>
  one.certificate === other.certificate && Redacted.value(one.key) === Redacted.value(other.key)
