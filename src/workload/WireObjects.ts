// WireObjects: where the fields of ApiObjects.ts are in Protocol Buffers, a table a kind: their numbers, from generated.proto of
// k8s.io/api v0.36. What is read is as in JSON, so that one projection takes both.
import * as P from "../protobuf/Message.ts"
import type { WorkloadKind } from "./Kinds.ts"
import { conditions, metadata, plainMetadata, podSpec, secrets, shaped, template } from "./WireParts.ts"

const { flag, int, intOrText, many, map, message, one, text, texts, time } = P

const strategy = (rollingUpdate: P.Message) => one(message({ type: [1, text], rollingUpdate: [2, one(rollingUpdate)] }))

const deployment = message({
  metadata: [1, one(metadata)],
  spec: [
    2,
    one(message({
      replicas: [1, int],
      template: [3, shaped],
      strategy: [4, strategy(message({ maxUnavailable: [1, intOrText], maxSurge: [2, intOrText] }))],
      paused: [7, flag],
      progressDeadlineSeconds: [9, int]
    }))
  ],
  status: [
    3,
    one(message({
      observedGeneration: [1, int],
      replicas: [2, int],
      updatedReplicas: [3, int],
      availableReplicas: [4, int],
      readyReplicas: [7, int],
      conditions: [6, conditions(7, 4, 5)]
    }))
  ]
})

const daemonSet = message({
  metadata: [1, one(metadata)],
  spec: [
    2,
    one(message({
      template: [2, one(template)],
      updateStrategy: [3, strategy(message({ maxUnavailable: [1, intOrText], maxSurge: [2, intOrText] }))]
    }))
  ],
  status: [
    3,
    one(message({
      currentNumberScheduled: [1, int],
      desiredNumberScheduled: [3, int],
      observedGeneration: [5, int],
      updatedNumberScheduled: [6, int],
      numberAvailable: [7, int],
      conditions: [10, conditions(3, 4, 5)]
    }))
  ]
})

const statefulSet = message({
  metadata: [1, one(metadata)],
  spec: [
    2,
    one(message({
      replicas: [1, int],
      template: [3, one(template)],
      podManagementPolicy: [6, text],
      updateStrategy: [7, strategy(message({ partition: [1, int], maxUnavailable: [2, intOrText] }))]
    }))
  ],
  status: [
    3,
    one(message({
      observedGeneration: [1, int],
      replicas: [2, int],
      readyReplicas: [3, int],
      updatedReplicas: [5, int],
      currentRevision: [6, text],
      updateRevision: [7, text],
      conditions: [10, conditions(3, 4, 5)],
      availableReplicas: [11, int]
    }))
  ]
})

const replicaSet = message({
  metadata: [1, one(metadata)],
  spec: [2, one(message({ replicas: [1, int], template: [3, shaped] }))],
  status: [
    3,
    one(message({
      replicas: [1, int],
      observedGeneration: [3, int],
      readyReplicas: [4, int],
      availableReplicas: [5, int],
      conditions: [6, conditions(3, 4, 5)]
    }))
  ]
})

const replicationController = message({
  metadata: [1, one(metadata)],
  spec: [2, one(message({ replicas: [1, int], template: [3, one(template)] }))],
  status: [
    3,
    one(message({
      replicas: [1, int],
      observedGeneration: [3, int],
      readyReplicas: [4, int],
      availableReplicas: [5, int],
      conditions: [6, conditions(3, 4, 5)]
    }))
  ]
})

const job = message({
  metadata: [1, one(metadata)],
  spec: [2, one(message({ template: [6, one(template)] }))],
  status: [3, one(message({ conditions: [1, conditions(4, 5, 6)] }))]
})

const cronJob = message({
  metadata: [1, one(metadata)],
  spec: [
    2,
    one(message({
      concurrencyPolicy: [3, text],
      jobTemplate: [5, one(message({ spec: [2, one(message({ template: [6, one(template)] }))] }))]
    }))
  ],
  status: [3, one(message({ lastSuccessfulTime: [5, time] }))]
})

const state = one(message({
  waiting: [1, one(message({ reason: [1, text], message: [2, text] }))],
  running: [2, one(message({ startedAt: [1, time] }))],
  terminated: [3, one(message({}))]
}))

const statuses = many(message({
  name: [1, text],
  state: [2, state],
  lastState: [3, state],
  restartCount: [5, int],
  imageID: [7, text],
  volumeMounts: [
    12,
    many(message({
      name: [1, text],
      volumeStatus: [5, one(message({ image: [1, one(message({ imageRef: [1, text] }))] }))]
    }))
  ]
}))

const pod = message({
  metadata: [1, one(metadata)],
  spec: [2, one(podSpec)],
  status: [
    3,
    one(message({
      phase: [1, text],
      conditions: [2, conditions(4, 5, 6)],
      containerStatuses: [8, statuses],
      initContainerStatuses: [10, statuses],
      ephemeralContainerStatuses: [13, statuses]
    }))
  ]
})

/** Where each kind of workload is. */
export const wireObjects: Readonly<Record<WorkloadKind, P.Message>> = {
  Deployment: deployment,
  DaemonSet: daemonSet,
  StatefulSet: statefulSet,
  ReplicaSet: replicaSet,
  ReplicationController: replicationController,
  CronJob: cronJob,
  Job: job,
  Pod: pod
}

export const wireNamespace = message({ metadata: [1, one(plainMetadata)] })

export const wireAccount = message({ metadata: [1, one(metadata)], imagePullSecrets: [3, secrets] })

export const wireNode = message({
  metadata: [1, one(plainMetadata)],
  status: [3, one(message({ conditions: [4, conditions(4, 5, 6)] }))]
})

export const wireBudget = message({
  metadata: [1, one(plainMetadata)],
  spec: [
    2,
    one(message({
      selector: [
        2,
        one(message({
          matchLabels: [1, map],
          matchExpressions: [2, many(message({ key: [1, text], operator: [2, text], values: [3, texts] }))]
        }))
      ]
    }))
  ],
  status: [3, one(message({ observedGeneration: [1, int], disruptionsAllowed: [3, int] }))]
})
