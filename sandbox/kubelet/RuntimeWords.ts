// Why a registry gave no answer, in the words of container runtimes, which are written in Go: what reads them in a pod's status knows no
// others.

const untrusted = "tls: failed to verify certificate: x509: certificate signed by unknown authority"

/** @param cause what a request to `url` failed with, in Node */
export const wordsOf = (url: string, cause: unknown): string => {
  const { host, hostname } = new URL(url)
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
  const words = {
    ECONNREFUSED: `dial tcp ${host}: connect: connection refused`,
    ENOTFOUND: `dial tcp: lookup ${hostname}: no such host`,
    DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
    SELF_SIGNED_CERT_IN_CHAIN: untrusted,
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted
  }[code]
  return words === undefined ? `${url}: ${String(cause)}` : `failed to do request: Get "${url}": ${words}`
}
