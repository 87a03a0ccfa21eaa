// ServesBackup: which namespaces serve the backup, and must start without it: those of BACKUP_NAMESPACES, and the one whose Service
// BACKUP_REGISTRY names. Pure. Edge: only the name can say so. A registry of the cluster that is reached by an ingress, a node port
// or an address is not recognised, nor by `NAME.NAMESPACE`, which reads like `quay.io`: those are for people to list.
// Source: Kubernetes' "DNS-Based Service Discovery", 2.3 and 2.4 (github.com/kubernetes/dns/blob/master/docs/specification.md).
import { remembered } from "../collections/Remembered.ts"
import type { Settings } from "../settings/Settings.ts"

type Given = Pick<Settings, "BACKUP_REGISTRY" | "BACKUP_NAMESPACES">

// of a label of DNS, and so of a namespace; all else about labels is seen to where the settings are read (image/ImageReference.ts)
const longestLabel = 63

/**
 * The namespaces whose Service a host (`host[:port]`) may be: `NAME.NAMESPACE.svc`, or `POD.NAME.NAMESPACE.svc` of a StatefulSet, with
 * any domain behind. Most have one, and hosts elsewhere none; `a.b.svc.svc` can be read in both ways and has two.
 *
 * Any domain, because each cluster chooses its own, and nothing that we may read tells which. So a public host `a.b.svc.example.com`
 * counts as well. That harms less than the opposite error: a registry that waits for its own copy ends no cold start, while of a
 * namespace that happens to be called `b` workloads keep their originals, which `plan` explains, and pods are not validated. Tenants
 * cannot bring that about: the host is the administrator's word, and who may make a namespace may label it as exempt anyhow.
 */
export const serviceNamespaces = (host: string): ReadonlyArray<string> => {
  const labels = host.toLowerCase().replace(/:\d+$/, "").split(".")
  return [2, 3].filter((at) => labels[at] === "svc").flatMap((at) => labels.slice(at - 1, at))
    .filter((it) => it.length <= longestLabel)
}

/** Asked of every workload and every pod that is made, and there is one. */
const hostOf = remembered(16, (registry) => {
  const host = registry.split("/", 1).join("")
  return { host, namespaces: serviceNamespaces(host) }
})

/** Why a namespace has to start without the backup; undefined where it has not. */
export const servesBackup = (namespace: string, settings: Given): string | undefined => {
  if (settings.BACKUP_NAMESPACES.includes(namespace)) return `${namespace} is in BACKUP_NAMESPACES`
  const { host, namespaces } = hostOf(settings.BACKUP_REGISTRY)
  return namespaces.includes(namespace) ? `${namespace} serves BACKUP_REGISTRY (${host})` : undefined
}

/** All namespaces of which that is so, whether they are there or not. */
export const backupNamespaces = (settings: Given): ReadonlyArray<string> => [
  ...new Set([...settings.BACKUP_NAMESPACES, ...hostOf(settings.BACKUP_REGISTRY).namespaces])
]
