// The two built-in admission steps that images meet: a namespace must be there and not going, and the ServiceAccount
// plugin, which gives a pod its account, the account's pull secrets and the token volume.
// Source: kubernetes plugin/pkg/admission/{namespace/lifecycle,serviceaccount}.
import { Effect } from "effect"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import { randomSuffix } from "../Random.ts"
import type { Api, Target } from "./Api.ts"
import type { ApiError } from "./ApiError.ts"
import * as ApiErrors from "./ApiError.ts"
import * as Resources from "./Resources.ts"

const namespaces = Resources.byKind("Namespace")

/** May something be created in the target's namespace? */
export const namespace = Effect.fnUntraced(function*(api: Api, target: Target, name: string) {
  if (!target.resource.namespaced || namespaces === undefined) return
  const found = api.store.get("namespaces", "", target.namespace)
  if (found === undefined) return yield* ApiErrors.notFound(namespaces, target.namespace)
  if (J.text(found, "metadata", "deletionTimestamp") !== undefined) {
    return yield* ApiErrors.forbidden(
      target.resource,
      name,
      `unable to create new content in namespace ${target.namespace} because it is being terminated`,
      [{
        reason: "NamespaceTerminating",
        message: `namespace ${target.namespace} is being terminated`,
        field: "metadata.namespace"
      }]
    )
  }
})

const tokenVolume = (name: string): JsonObject => ({
  name,
  projected: {
    defaultMode: 420,
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      {
        downwardAPI: {
          items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }]
        }
      }
    ]
  }
})

const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

/** Completes a pod that is to be created: the pod itself is changed. */
export const serviceAccount = Effect.fnUntraced(function*(
  api: Api,
  target: Target,
  pod: JsonObject
): Effect.fn.Return<void, ApiError> {
  // A mirror pod is the kubelet's own.
  if (J.text(pod, "metadata", "annotations", "kubernetes.io/config.mirror") !== undefined) return
  const spec = J.ensure(pod, "spec")
  const name = J.text(spec, "serviceAccountName") ?? "default"
  spec["serviceAccountName"] = name
  spec["serviceAccount"] = name
  const account = api.store.get("serviceaccounts", target.namespace, name)
  if (account === undefined) {
    return yield* ApiErrors.forbidden(
      target.resource,
      J.text(pod, "metadata", "name") ?? "",
      `error looking up service account ${target.namespace}/${name}: serviceaccount "${name}" not found`
    )
  }
  const secrets = J.list(account, "imagePullSecrets")
  if (J.list(spec, "imagePullSecrets").length === 0 && secrets.length > 0) spec["imagePullSecrets"] = J.clone(secrets)
  const mount = J.at(spec, "automountServiceAccountToken") ?? J.at(account, "automountServiceAccountToken") ?? true
  if (mount !== true) return
  const volume = `kube-api-access-${yield* randomSuffix(5)}`
  spec["volumes"] = [...J.list(spec, "volumes"), tokenVolume(volume)]
  for (const container of [...J.list(spec, "initContainers"), ...J.list(spec, "containers")]) {
    if (!J.isObject(container)) continue
    const mounts = J.list(container, "volumeMounts")
    if (mounts.some((it) => J.text(it, "mountPath") === tokenPath)) continue
    container["volumeMounts"] = [...mounts, { name: volume, readOnly: true, mountPath: tokenPath }]
  }
})
