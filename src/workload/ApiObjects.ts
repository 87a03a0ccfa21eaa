// ApiObjects: the few fields of Kubernetes objects that are read, as lenient Schemas: everything may be absent or null,
// unknown fields pass, because a projection must survive every version of the API. Field names: k8s.io/api, v1.36.
import { Schema } from "effect"

const maybe = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
const Text = maybe(Schema.String)
const Int = maybe(Schema.Finite)
const Flag = maybe(Schema.Boolean)
const Map = maybe(Schema.Record(Schema.String, Schema.String))

const Container = Schema.Struct({ name: Text, image: Text, imagePullPolicy: Text })

const Volume = Schema.Struct({
  name: Text,
  image: maybe(Schema.Struct({ reference: Text, pullPolicy: Text }))
})

export const PodSpec = Schema.Struct({
  containers: maybe(Schema.Array(Container)),
  initContainers: maybe(Schema.Array(Container)),
  ephemeralContainers: maybe(Schema.Array(Container)),
  volumes: maybe(Schema.Array(Volume)),
  priorityClassName: Text,
  nodeName: Text,
  serviceAccountName: Text,
  imagePullSecrets: maybe(Schema.Array(Schema.Struct({ name: Text })))
})

const ManagedFields = Schema.Struct({
  manager: Text,
  operation: Text,
  time: Text,
  subresource: Text,
  fieldsV1: maybe(Schema.Unknown)
})

const OwnerReference = Schema.Struct({ apiVersion: Text, kind: Text, name: Text, uid: Text, controller: Flag })

export const ObjectMeta = Schema.Struct({
  name: Text,
  generateName: Text,
  namespace: Text,
  uid: Text,
  generation: Int,
  creationTimestamp: Text,
  deletionTimestamp: Text,
  labels: Map,
  annotations: Map,
  ownerReferences: maybe(Schema.Array(OwnerReference)),
  managedFields: maybe(Schema.Array(ManagedFields))
})

/** What is read of an object to give up what our field manager holds of it. */
export const Tracked = Schema.Struct({
  metadata: Schema.Struct({ resourceVersion: Schema.String, managedFields: maybe(Schema.Array(ManagedFields)) })
})

const Template = Schema.Struct({
  metadata: maybe(Schema.Struct({ annotations: Map, labels: Map })),
  spec: maybe(PodSpec)
})

const Condition = Schema.Struct({ type: Text, status: Text, reason: Text, message: Text, lastTransitionTime: Text })

const IntOrText = maybe(Schema.Union([Schema.Finite, Schema.String]))

const RollingUpdate = Schema.Struct({ partition: Int, maxUnavailable: IntOrText, maxSurge: IntOrText })

const RolloutSpec = Schema.Struct({
  replicas: Int,
  paused: Flag,
  progressDeadlineSeconds: Int,
  podManagementPolicy: Text,
  concurrencyPolicy: Text,
  strategy: maybe(Schema.Struct({ type: Text, rollingUpdate: maybe(RollingUpdate) })),
  updateStrategy: maybe(Schema.Struct({ type: Text, rollingUpdate: maybe(RollingUpdate) })),
  template: maybe(Template),
  jobTemplate: maybe(Schema.Struct({ spec: maybe(Schema.Struct({ template: maybe(Template) })) }))
})

const RolloutStatus = Schema.Struct({
  observedGeneration: Int,
  replicas: Int,
  updatedReplicas: Int,
  availableReplicas: Int,
  readyReplicas: Int,
  currentRevision: Text,
  updateRevision: Text,
  desiredNumberScheduled: Int,
  currentNumberScheduled: Int,
  updatedNumberScheduled: Int,
  numberAvailable: Int,
  lastSuccessfulTime: Text,
  conditions: maybe(Schema.Array(Condition))
})

/** Any object with a pod template. */
export const Templated = Schema.Struct({
  metadata: ObjectMeta,
  spec: maybe(RolloutSpec),
  status: maybe(RolloutStatus)
})

const State = maybe(Schema.Struct({
  running: maybe(Schema.Struct({ startedAt: Text })),
  terminated: maybe(Schema.Unknown),
  waiting: maybe(Schema.Struct({ reason: Text, message: Text }))
}))

// volumeStatus: KEP-5365, ImageVolumeWithDigest
const VolumeMountStatus = Schema.Struct({
  name: Text,
  volumeStatus: maybe(Schema.Struct({ image: maybe(Schema.Struct({ imageRef: Text })) }))
})

const ContainerStatus = Schema.Struct({
  name: Text,
  imageID: Text,
  volumeMounts: maybe(Schema.Array(VolumeMountStatus)),
  restartCount: Int,
  state: State,
  lastState: State
})

const Statuses = maybe(Schema.Array(ContainerStatus))

export const PodObject = Schema.Struct({
  metadata: ObjectMeta,
  spec: maybe(PodSpec),
  status: maybe(Schema.Struct({
    phase: Text,
    conditions: maybe(Schema.Array(Condition)),
    containerStatuses: Statuses,
    initContainerStatuses: Statuses,
    ephemeralContainerStatuses: Statuses
  }))
})

export const NamespaceObject = Schema.Struct({ metadata: ObjectMeta })

export const AccountObject = Schema.Struct({
  metadata: ObjectMeta,
  imagePullSecrets: maybe(Schema.Array(Schema.Struct({ name: Text })))
})

const Selector = Schema.Struct({
  matchLabels: Map,
  matchExpressions: maybe(
    Schema.Array(Schema.Struct({ key: Text, operator: Text, values: maybe(Schema.Array(Schema.String)) }))
  )
})

export const BudgetObject = Schema.Struct({
  metadata: ObjectMeta,
  spec: maybe(Schema.Struct({ selector: maybe(Selector) })),
  status: maybe(Schema.Struct({ observedGeneration: Int, disruptionsAllowed: Int }))
})

export const NodeObject = Schema.Struct({
  metadata: ObjectMeta,
  status: maybe(Schema.Struct({ conditions: maybe(Schema.Array(Condition)) }))
})
