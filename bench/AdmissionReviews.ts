// AdmissionReviews of pods as Deployments' have them, with all that the API server and its own admission plugins add: about six
// kilobytes each. Edge: what is in them beside images and owner is made up, and the same in all.
import type { JsonObject } from "../sandbox/Json.ts"
import * as J from "../sandbox/Json.ts"

const env = (name: string): Array<JsonObject> => [
  ...["LOG_LEVEL", "DATABASE_HOST", "CACHE_URL", "FEATURE_FLAGS", "OTEL_EXPORTER_OTLP_ENDPOINT", "REGION"].map((
    it
  ) => ({
    name: it,
    value: `${name}.${it.toLowerCase()}.svc.cluster.local:8080`
  })),
  { name: "POD_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } } },
  { name: "PASSWORD", valueFrom: { secretKeyRef: { name: `${name}-database`, key: "password" } } }
]

const probe = (path: string): JsonObject => ({
  httpGet: { path, port: "http", scheme: "HTTP" },
  initialDelaySeconds: 5,
  timeoutSeconds: 1,
  periodSeconds: 10,
  successThreshold: 1,
  failureThreshold: 3
})

const container = (name: string, image: string): JsonObject => ({
  name,
  image,
  ports: [{ name: "http", containerPort: 8080, protocol: "TCP" }],
  env: env(name),
  resources: { limits: { memory: "256Mi" }, requests: { cpu: "100m", memory: "128Mi" } },
  livenessProbe: probe("/livez"),
  readinessProbe: probe("/readyz"),
  volumeMounts: [{ name: "config", mountPath: "/etc/app" }, { name: "tmp", mountPath: "/tmp" }],
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File",
  imagePullPolicy: "IfNotPresent",
  securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } }
})

/** The template of a Deployment of this name: a container that is initialised by another. */
export const templateOf = (name: string, images: readonly [app: string, setup: string]): JsonObject => ({
  metadata: {
    labels: {
      app: name,
      "app.kubernetes.io/name": name,
      "app.kubernetes.io/part-of": "shop",
      "app.kubernetes.io/version": "1.27.3",
      "helm.sh/chart": `${name}-4.2.0`
    },
    annotations: {
      "prometheus.io/scrape": "true",
      "prometheus.io/port": "8080",
      "checksum/config": "0a1b2c3d".repeat(8)
    }
  },
  spec: {
    initContainers: [container("setup", images[1])],
    containers: [container("app", images[0])],
    volumes: [
      { name: "config", configMap: { name: `${name}-config`, defaultMode: 420 } },
      { name: "tmp", emptyDir: { sizeLimit: "1Gi" } }
    ],
    topologySpreadConstraints: [{
      maxSkew: 1,
      topologyKey: "topology.kubernetes.io/zone",
      whenUnsatisfiable: "ScheduleAnyway",
      labelSelector: { matchLabels: { app: name } }
    }],
    terminationGracePeriodSeconds: 30,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } }
  }
})

/** What the ServiceAccount plugin adds. */
const tokenVolume: JsonObject = {
  name: "kube-api-access-x7k2p",
  projected: {
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      {
        downwardAPI: {
          items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }]
        }
      }
    ],
    defaultMode: 420
  }
}

const toleration = (key: string): JsonObject => ({
  key: `node.kubernetes.io/${key}`,
  operator: "Exists",
  effect: "NoExecute",
  tolerationSeconds: 300
})

/** What the API server has written of the fields that the controller set, before it asks webhooks. */
const managedFields = (owner: string): JsonObject => ({
  manager: "kube-controller-manager",
  operation: "Update",
  apiVersion: "v1",
  time: "2026-11-01T12:00:00Z",
  fieldsType: "FieldsV1",
  fieldsV1: {
    "f:metadata": {
      "f:annotations": { ".": {}, "f:checksum/config": {}, "f:prometheus.io/port": {}, "f:prometheus.io/scrape": {} },
      "f:generateName": {},
      "f:labels": { ".": {}, "f:app": {}, "f:app.kubernetes.io/name": {}, "f:pod-template-hash": {} },
      "f:ownerReferences": { ".": {}, [`k:{"uid":"${owner}"}`]: {} }
    },
    "f:spec": {
      "f:containers": {
        "k:{\"name\":\"app\"}": { ".": {}, "f:env": { ".": {} }, "f:image": {}, "f:imagePullPolicy": {}, "f:name": {} }
      },
      "f:dnsPolicy": {},
      "f:restartPolicy": {},
      "f:volumes": { ".": {}, "k:{\"name\":\"config\"}": { ".": {}, "f:configMap": {}, "f:name": {} } }
    }
  }
})

const controllerUser: JsonObject = {
  username: "system:serviceaccount:kube-system:replicaset-controller",
  uid: "4a1c1d0e-6393-11e8-b7cc-42010a800002",
  groups: ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
  extra: { "authentication.kubernetes.io/credential-id": ["JTI=4a1c1d0e-6393-11e8-b7cc-42010a800002"] }
}

const podOf = (replicaSet: JsonObject): JsonObject => {
  const name = J.text(replicaSet, "metadata", "name") ?? ""
  const uid = J.text(replicaSet, "metadata", "uid") ?? ""
  const template = J.object(replicaSet, "spec", "template")
  const mount = {
    name: "kube-api-access-x7k2p",
    readOnly: true,
    mountPath: "/var/run/secrets/kubernetes.io/serviceaccount"
  }
  const mounted = (list: string) =>
    J.list(template, "spec", list).filter(J.isObject).map((it): JsonObject => ({
      ...it,
      volumeMounts: [...J.list(it, "volumeMounts"), mount]
    }))
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: {
      ...J.object(template, "metadata"),
      generateName: `${name}-`,
      creationTimestamp: null,
      ownerReferences: [{
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        name,
        uid,
        controller: true,
        blockOwnerDeletion: true
      }],
      managedFields: [managedFields(uid)]
    },
    spec: {
      ...J.object(template, "spec"),
      initContainers: mounted("initContainers"),
      containers: mounted("containers"),
      volumes: [...J.list(template, "spec", "volumes"), tokenVolume],
      restartPolicy: "Always",
      dnsPolicy: "ClusterFirst",
      serviceAccountName: "default",
      serviceAccount: "default",
      schedulerName: "default-scheduler",
      tolerations: [toleration("not-ready"), toleration("unreachable")],
      priority: 0,
      enableServiceLinks: true,
      preemptionPolicy: "PreemptLowerPriority"
    },
    status: {}
  }
}

/** The review of the pod that a ReplicaSet is about to get. */
export const reviewOf = (replicaSet: JsonObject, uid: string): JsonObject => ({
  kind: "AdmissionReview",
  apiVersion: "admission.k8s.io/v1",
  request: {
    uid,
    kind: { group: "", version: "v1", kind: "Pod" },
    resource: { group: "", version: "v1", resource: "pods" },
    requestKind: { group: "", version: "v1", kind: "Pod" },
    requestResource: { group: "", version: "v1", resource: "pods" },
    namespace: J.text(replicaSet, "metadata", "namespace") ?? "",
    operation: "CREATE",
    userInfo: controllerUser,
    object: podOf(replicaSet),
    oldObject: null,
    dryRun: false,
    options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" }
  }
})
