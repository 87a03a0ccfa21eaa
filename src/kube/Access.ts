// How to reach one API server and as whom: what the transport needs, wherever it comes from.
import type { Effect, Redacted } from "effect"
import type { KubeError } from "./KubeError.ts"

/** What a TLS connection needs beyond Node's defaults. */
export interface Tls {
  readonly ca?: string | Buffer | undefined
  readonly cert?: string | Buffer | undefined
  readonly key?: Redacted.Redacted<string | Buffer> | undefined
  readonly servername?: string | undefined
  readonly rejectUnauthorized?: boolean | undefined
}

/** Good for a minute at most: tokens and certificates are rotated. */
export interface Access {
  readonly headers: Readonly<Record<string, Redacted.Redacted>>
  readonly tls: Tls
}

export interface Credentials {
  /** `https://host:port`, possibly with a path, without a slash at the end. */
  readonly server: string
  readonly proxy: string | undefined
  /** Headers and TLS as of now. */
  readonly access: Effect.Effect<Access, KubeError>
  /** Forgets what the server has refused, unless it has been replaced already. */
  readonly reload: (refused: Access) => Effect.Effect<void>
}
