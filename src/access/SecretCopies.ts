// SecretCopies: the requests for the pull secret and its copies in namespaces: read in our own, made or replaced in others, never read
// there. Edge: answers of writes have the Secret in them and are dropped; errors of the Secrets keep no word of the server's.
import { Duration, Effect, Redacted, Result } from "effect"
import type { KubeClient, KubeRequest } from "../kube/KubeClient.ts"
import { isReason, KubeError, protocolError, timedOut } from "../kube/KubeError.ts"
import { isMutation, jsonPatch, operationOf } from "../kube/KubeRequest.ts"
import { fieldManager } from "../workload/Marks.ts"
import type { Operation } from "../workload/Patch.ts"
import type { Account } from "../workload/Workload.ts"
import { configKey, configType, type PullConfig, readPullConfig } from "./PullLogin.ts"

/** By it a copy is known to be ours: a Secret without it is somebody's, and is never written. */
export const copyLabel = "image-cloner.io/pull-secret"

/** How long one request may take: a slow one must not keep all other namespaces waiting. */
const patience = Duration.seconds(5)

const collectionOf = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`

/** Waits no longer than `patience`. */
const send = (client: KubeClient["Service"], request: KubeRequest): Effect.Effect<unknown, KubeError> =>
  client.request(request).pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.fail(timedOut(operationOf(request), Duration.format(patience), isMutation(request)))
    })
  )

/** A webhook or a validation may quote what was sent. */
const unquoted = (error: KubeError): KubeError =>
  new KubeError({
    operation: error.operation,
    reason: error.reason,
    status: error.status,
    detail: error.reason,
    // reasons are the API machinery's own words
    causes: error.causes.map((it) => ({ reason: it.reason, field: "", message: "" })),
    retryAfter: error.retryAfter,
    retryable: error.retryable,
    outcomeUnknown: error.outcomeUnknown
  })

export interface SecretCopies {
  /** The Secret of our own namespace; fails with NotFound where there is none. */
  readonly read: Effect.Effect<PullConfig, KubeError>
  /** Makes the copy of a namespace, or makes ours say what it should. Fails with Invalid, without causes, where it is not ours. */
  readonly keep: (namespace: string, config: PullConfig) => Effect.Effect<void, KubeError>
  /** Deletes the copy of a namespace, if it is ours. */
  readonly remove: (namespace: string) => Effect.Effect<void, KubeError>
  readonly patchAccount: (account: Account, operations: ReadonlyArray<Operation>) => Effect.Effect<void, KubeError>
}

/** The requests for a Secret of this name. */
export const makeSecretCopies = (client: KubeClient["Service"], ownNamespace: string, name: string): SecretCopies => {
  const own = `${collectionOf(ownNamespace)}/${name}`

  const create = (namespace: string, config: PullConfig) =>
    send(client, {
      method: "POST",
      path: collectionOf(namespace),
      query: { fieldManager, fieldValidation: "Strict" },
      body: {
        apiVersion: "v1",
        kind: "Secret",
        type: configType,
        metadata: { name, namespace, labels: { [copyLabel]: "true", "app.kubernetes.io/managed-by": "image-cloner" } },
        data: { [configKey]: Redacted.value(config) }
      },
      once: true
    })

  // the label is tested by the API server itself, so that nothing has to be read to know whose it is
  const replace = (namespace: string, config: PullConfig) =>
    send(
      client,
      jsonPatch(`${collectionOf(namespace)}/${name}`, fieldManager, [
        { op: "test", path: `/metadata/labels/${copyLabel.replace("/", "~1")}`, value: "true" },
        { op: "add", path: "/data", value: { [configKey]: Redacted.value(config) } }
      ])
    )

  return {
    read: Effect.flatMap(
      Effect.mapError(send(client, { method: "GET", path: own, once: true }), unquoted),
      (answer) => {
        const config = readPullConfig(answer)
        return Result.isSuccess(config)
          ? Effect.succeed(config.success)
          : Effect.fail(protocolError(`GET ${own}`, config.failure))
      }
    ),
    keep: (namespace, config) =>
      create(namespace, config).pipe(
        Effect.catchIf(isReason("Conflict"), () => replace(namespace, config)),
        Effect.mapError(unquoted),
        Effect.asVoid
      ),
    // a collection is deleted by label, a Secret by its name whosever it is
    remove: (namespace) =>
      send(client, {
        method: "DELETE",
        path: collectionOf(namespace),
        query: { labelSelector: `${copyLabel}=true`, fieldSelector: `metadata.name=${name}` }
      }).pipe(Effect.mapError(unquoted), Effect.asVoid),
    patchAccount: ({ key, namespace }, operations) =>
      Effect.asVoid(
        send(
          client,
          jsonPatch(
            `/api/v1/namespaces/${namespace}/serviceaccounts/${key.slice(namespace.length + 1)}`,
            fieldManager,
            operations
          )
        )
      )
  }
}
