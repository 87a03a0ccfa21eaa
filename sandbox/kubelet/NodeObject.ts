// The Node a kubelet registers and keeps alive: its object, its status, its Lease.
// A node lifecycle controller takes a node for dead whose Lease is not renewed for 40 s. Source: KEP-589.
import { Clock, DateTime, Effect } from "effect"
import { timestamp } from "../cluster/Api.ts"
import * as Objects from "../client/Objects.ts"
import type { JsonObject } from "../Json.ts"

export const manager = "kubelet"

const capacity = { cpu: "64", memory: "256Gi", pods: "2000", "ephemeral-storage": "1Ti" }

const place = (name: string) => ({ resource: Objects.resource("Node"), namespace: "", name })

const status = (name: string, now: string): JsonObject => ({
  capacity,
  allocatable: capacity,
  conditions: ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"].map((type) => ({
    type,
    status: type === "Ready" ? "True" : "False",
    reason: type === "Ready" ? "KubeletReady" : `KubeletHasNo${type}`,
    message: type === "Ready" ? "kubelet is posting ready status" : `kubelet has no ${type}`,
    lastHeartbeatTime: now,
    lastTransitionTime: now
  })),
  addresses: [{ type: "InternalIP", address: "127.0.0.1" }, { type: "Hostname", address: name }],
  nodeInfo: {
    architecture: "amd64",
    bootID: "sandbox",
    containerRuntimeVersion: "sandbox://1.0.0",
    kernelVersion: "0",
    kubeProxyVersion: "",
    kubeletVersion: "v1.36.0-sandbox",
    machineID: "sandbox",
    operatingSystem: "linux",
    osImage: "sandbox",
    systemUUID: "sandbox"
  }
})

/** Creates the Node, or takes over the one of that name, and says that it is ready. */
export const register = Effect.fnUntraced(function*(name: string) {
  yield* Objects.create(manager, Objects.resource("Node"), "", {
    metadata: {
      name,
      labels: {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64"
      }
    },
    spec: {}
  }).pipe(Effect.catchIf((error) => error.reason === "Conflict", () => Effect.void))
  yield* Objects.patch(manager, place(name), { status: status(name, yield* timestamp) }, "status")
})

/** MicroTime has exactly six digits: another number of them is refused. */
const microTime = Effect.map(
  Clock.currentTimeMillis,
  (now) => DateTime.formatIso(DateTime.makeUnsafe(now)).replace("Z", "000Z")
)

export const renewLease = Effect.fnUntraced(function*(name: string) {
  const resource = Objects.resource("Lease")
  const at = { resource, namespace: "kube-node-lease", name }
  const spec = { holderIdentity: name, leaseDurationSeconds: 40, renewTime: yield* microTime }
  yield* Objects.patch(manager, at, { spec }).pipe(
    Effect.catchIf(
      (error) => error.reason === "NotFound",
      () => Objects.create(manager, resource, "kube-node-lease", { metadata: { name }, spec })
    )
  )
})
