// The Secret with the authority, which all replicas share: read, made and written, guarded by its resourceVersion.
// Edge: knows what a Secret looks like, and nothing of when anything is due (FollowAuthority.ts).
import { Effect, Option, Schema } from "effect"
import type { KubeClient } from "../../kube/KubeClient.ts"
import { isReason, type KubeError, protocolError } from "../../kube/KubeError.ts"
import { type Authority, encode, fields, type SecretData } from "./Authority.ts"

/** Name of the Secret. */
const authoritySecret = "image-cloner-webhook-ca"

const Secret = Schema.Struct({
  metadata: Schema.Struct({ resourceVersion: Schema.String }),
  data: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
})
const decodeSecret = Schema.decodeUnknownOption(Secret)
const decodeObject = Schema.decodeUnknownOption(Schema.Record(Schema.String, Schema.Unknown))

/** A Secret as it was read. */
export interface Found {
  /** In base64. */
  readonly data: SecretData
  /** The object itself, with the resourceVersion: labels and other data stay as they are. */
  readonly object: Readonly<Record<string, unknown>>
}

export interface AuthoritySecret {
  /** `namespace/name`, for messages. */
  readonly where: string
  readonly path: string
  /** None where there is no such Secret. */
  readonly read: Effect.Effect<Option.Option<Found>, KubeError>
  /** Fails with Conflict where somebody else has made it. */
  readonly create: (authority: Authority) => Effect.Effect<void, KubeError>
  /** Fails with Conflict where somebody else has changed it since it was read. */
  readonly write: (found: Found, authority: Authority) => Effect.Effect<void, KubeError>
}

const bodyOf = (namespace: string, authority: Authority) => ({
  apiVersion: "v1",
  kind: "Secret",
  type: "Opaque",
  metadata: { name: authoritySecret, namespace, labels: { "app.kubernetes.io/name": "image-cloner" } },
  data: encode(authority)
})

const withData = ({ data, object }: Found, authority: Authority) => ({
  ...object,
  data: { ...Object.fromEntries(Object.entries(data).filter(([name]) => !fields.has(name))), ...encode(authority) }
})

/** The Secret of a namespace; nothing is read yet. */
export const makeAuthoritySecret = (client: KubeClient["Service"], namespace: string): AuthoritySecret => {
  const collection = `/api/v1/namespaces/${namespace}/secrets`
  const path = `${collection}/${authoritySecret}`

  const understand = (answer: unknown): Effect.Effect<Found, KubeError> => {
    const secret = Option.getOrUndefined(decodeSecret(answer))
    const object = Option.getOrUndefined(decodeObject(answer))
    // the answer may have keys in it, and must not get into an error
    return secret === undefined || object === undefined
      ? Effect.fail(protocolError(`GET ${path}`, "the answer is no Secret"))
      : Effect.succeed({ data: secret.data ?? {}, object })
  }

  return {
    where: `${namespace}/${authoritySecret}`,
    path,
    read: client.request({ method: "GET", path }).pipe(
      Effect.flatMap(understand),
      Effect.asSome,
      Effect.catchIf(isReason("NotFound"), () => Effect.succeedNone)
    ),
    create: (authority) =>
      Effect.asVoid(client.request({ method: "POST", path: collection, body: bodyOf(namespace, authority) })),
    write: (found, authority) =>
      Effect.asVoid(client.request({ method: "PUT", path, body: withData(found, authority) }))
  }
}
