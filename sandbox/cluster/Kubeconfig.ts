// The text of a kubeconfig with one cluster and one user. JSON is YAML, and needs no quoting rules of its own.
import { Redacted } from "effect"

export interface KubeconfigOptions {
  readonly server: string
  readonly token?: Redacted.Redacted
  /** PEM. */
  readonly ca?: string
  /** PEM certificate and key of the user. */
  readonly client?: { readonly cert: string; readonly key: Redacted.Redacted }
}

const base64 = (text: string): string => Buffer.from(text).toString("base64")

export const kubeconfig = (options: KubeconfigOptions): string =>
  `${
    JSON.stringify(
      {
        apiVersion: "v1",
        kind: "Config",
        clusters: [{
          name: "sandbox",
          cluster: {
            server: options.server,
            ...(options.ca === undefined ? {} : { "certificate-authority-data": base64(options.ca) })
          }
        }],
        users: [{
          name: "admin",
          user: {
            ...(options.token === undefined ? {} : { token: Redacted.value(options.token) }),
            ...(options.client === undefined ? {} : {
              "client-certificate-data": base64(options.client.cert),
              "client-key-data": base64(Redacted.value(options.client.key))
            })
          }
        }],
        contexts: [{ name: "sandbox", context: { cluster: "sandbox", user: "admin" } }],
        "current-context": "sandbox"
      },
      null,
      2
    )
  }\n`
