// ServedPair: whether a certificate and a key are one pair. Node takes a key of one kind with a certificate of another without a word, and
// every handshake fails from then on.
import { createPrivateKey, X509Certificate } from "node:crypto"
import { Redacted, Result } from "effect"
import type { ServingPair } from "../certificates/ServingCertificates.ts"

export const isPair = ({ certificate, key }: ServingPair): boolean =>
  Result.getOrElse(
    // what is no PEM throws, and is no pair
    Result.try(() => new X509Certificate(certificate).checkPrivateKey(createPrivateKey(Redacted.value(key)))),
    () => false
  )
