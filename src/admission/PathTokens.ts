// The last segment of a webhook's path, which only those know who may read the webhook configurations: whoever else reaches the port
// could ask with forged reviews which images have copies. It is made of an authority's certificate, whose serial number and
// signature are random and go over no wire, so that every replica knows it and nothing more has to be kept.
import { createHash } from "node:crypto"

const certificates = (bundle: string): ReadonlyArray<string> =>
  bundle.split(/(?=-----BEGIN CERTIFICATE-----)/).map((it) => it.trim())

/** Of letters that the API server takes in a Service's path: each of its parts is a DNS name (apiserver, ValidateWebhookService). */
const tokenOf = (certificate: string): string =>
  createHash("sha256").update(`webhook path\n${certificate}`).digest("hex").slice(0, 40)

/** All that requests may come with, by the bundle that is published or about to be. */
export const tokensOf = (bundle: string): ReadonlyArray<string> => certificates(bundle).map(tokenOf)

/**
 * A webhook's path, as the API server is told it.
 * @param bundle PEM; its last certificate is the one that all replicas have known longest (Authority.ts, bundleOf)
 */
export const withToken = (path: string, bundle: string): string => `${path}/${tokensOf(bundle).at(-1)}`

/** A path as it was asked for, apart. */
export const splitToken = (path: string): { readonly path: string; readonly token: string } => {
  const at = path.lastIndexOf("/")
  return { path: path.slice(0, at), token: path.slice(at + 1) }
}
