// Workload: what is kept of the cluster's objects, and nothing more. Projections of API objects, made in Project.ts.
import type { HeldMark } from "./HeldMark.ts"
import type { ImageId } from "./ImageId.ts"
import type { Kind } from "./Kinds.ts"

/** Stands before the name of an image volume where containers and volumes are named alike: no container has a colon. */
export const volumePrefix = "volume:"

/** One place of a pod template that names an image. */
export interface ImageSlot {
  /** Name of the container, or `volume:<name>` for an image volume: the key in the originals annotation. */
  readonly container: string
  /** JSON pointer of the field that holds the image. */
  readonly path: string
  /** JSON pointer of the field that holds the name of the container or volume. */
  readonly namePath: string
  readonly image: string
  readonly pullPolicy: string | undefined
}

export interface Owner {
  /** Undefined: it does not say; then its kind alone tells. */
  readonly apiVersion?: string
  readonly kind: string
  readonly name: string
  readonly uid: string
}

export type RewriteMark = "never" | "admission" | "patch"

/** What somebody wrote on an object about us. Undefined: nothing. */
export interface Marks {
  readonly ignore: boolean | undefined
  readonly rewrite: RewriteMark | undefined
}

/** Numbers of a rollout as the status says them; kinds without rollouts have none. */
export interface RolloutStatus {
  readonly observedGeneration: number
  readonly desired: number
  readonly current: number
  readonly updated: number
  readonly available: number
  /** StatefulSets: whether the current revision is the updated one. Others: true. */
  readonly revisionReached: boolean
  /** Deployments: reason of the Progressing condition. */
  readonly progress: string | undefined
  /** Deployments: why their controller can make no pods (condition ReplicaFailure): a quota's or a policy's own words. */
  readonly failure: string | undefined
}

export interface Workload {
  /** `Kind/namespace/name`; of a kind of EXTRA_KINDS `Kind.group/namespace/name`. */
  readonly key: string
  readonly kind: Kind["kind"]
  /** Which kind of EXTRA_KINDS it is of, where its kind is "Extra". */
  readonly extra?: Kind
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly generation: number | undefined
  readonly deleting: boolean
  readonly owner: Owner | undefined
  readonly images: ReadonlyArray<ImageSlot>
  /** Value of the originals annotation on the template. */
  readonly originals: string | undefined
  /** How much of `metadata.annotations` the template has: decides how an annotation can be added. */
  readonly templateMetadata: "none" | "metadata" | "annotations"
  readonly marks: Marks
  /** Which tool or operator owns the template, with the trace that says so. */
  readonly manager: string | undefined
  readonly priorityClass: string | undefined
  readonly mirror: boolean
  readonly replicas: number | undefined
  readonly paused: boolean
  readonly strategy: string | undefined
  readonly partition: number
  /** As it was written: a number of pods, or a percentage of them. */
  readonly maxUnavailable: number | string | undefined
  readonly maxSurge: number | string | undefined
  readonly deadlineSeconds: number | undefined
  readonly rollout: RolloutStatus | undefined
  /** Whether a pod or Job of it that does not end well stops all that follow: OrderedReady, concurrencyPolicy Forbid. */
  readonly ordered: boolean
  /** CronJobs: when a Job of it succeeded last, milliseconds since the epoch. */
  readonly succeededAt: number | undefined
  /**
   * What its newest revision is called: of a Deployment by the annotation of its newest ReplicaSet, of a StatefulSet or DaemonSet
   * by a label of the pods. Of a ReplicaSet or a pod what is written there itself.
   */
  readonly revision: string | undefined
  /** ReplicaSets: whether it was the newest of its Deployment before, and has become it again. */
  readonly returned: boolean
  /** Deployments and their ReplicaSets: what the template is apart from its images; see Shape. */
  readonly shape: string | undefined
  /** Labels of the pods of Deployments, StatefulSets and DaemonSets. */
  readonly podLabels: Readonly<Record<string, string>>
  readonly pullSecrets: ReadonlyArray<string>
  readonly serviceAccount: string | undefined
  /** When our field manager last changed it, milliseconds since the epoch. */
  readonly patchedAt: number | undefined
  /** When somebody else last changed its pod template, as far as the server remembers; milliseconds since the epoch. */
  readonly templateChangedAt: number | undefined
  /** Who set its images last: a field manager and how it writes, as far as the server remembers. */
  readonly imagesSetBy: string | undefined
  /** Whether `metadata.annotations` is there: decides how an annotation can be added. */
  readonly annotated: boolean
  /** Annotations of the object itself that we write or take away, as they stand there, by name. */
  readonly written: Readonly<Record<string, string>>
  /** What we wrote on it about why it is left alone. */
  readonly held: HeldMark | undefined
  /** Whether our field manager still holds an image of it, and so stands in the way of whoever applies its manifest. */
  readonly ownsImages: boolean
}

/** What a container of a pod does, or an image volume, which is there from the start of the first container. */
export interface ContainerState {
  /** Name of the container, or `volume:<name>`. */
  readonly container: string
  readonly image: string
  readonly init: boolean
  /** What the runtime says it runs, undefined while nothing was pulled, and where it does not say. */
  readonly imageId: ImageId | undefined
  readonly running: boolean
  /** When it was last started, if it runs; milliseconds since the epoch. */
  readonly startedAt: number | undefined
  /** Whether it has ever started, in this pod. */
  readonly started: boolean
  readonly waiting: string | undefined
  /** Of a pull that fails, from the store, what was last said of it: PullWords. */
  readonly message: string | undefined
}

export interface Pod {
  readonly workload: Workload
  readonly node: string | undefined
  /** Milliseconds since the epoch. */
  readonly createdAt: number | undefined
  readonly finished: boolean
  readonly ready: boolean
  /** Since when it is ready or not, milliseconds since the epoch. */
  readonly readySince: number | undefined
  /** Why no node takes it, in the scheduler's own words. */
  readonly unschedulable: string | undefined
  readonly containers: ReadonlyArray<ContainerState>
}

export interface Namespace {
  readonly name: string
  readonly uid: string
  readonly marks: Marks
  /** Whether a label takes it out of the validating webhook. */
  readonly unvalidated?: true
  /** Whether it is being deleted: nothing can be made in it any more. */
  readonly terminating?: true
}

/** A ServiceAccount, as far as pulling is concerned. */
export interface Account {
  /** `namespace/name`. */
  readonly key: string
  readonly namespace: string
  readonly pullSecrets: ReadonlyArray<string>
  /** The field manager other than ours that holds the list of its pull secrets; it would undo what we write there. */
  readonly listHolder?: string
}

export interface LabelSelector {
  readonly labels: Readonly<Record<string, string>>
  readonly expressions: ReadonlyArray<{
    readonly key: string
    readonly operator: string
    readonly values: ReadonlyArray<string>
  }>
}

/** A PodDisruptionBudget, as far as a rollout is concerned. */
export interface Budget {
  /** `namespace/name`. */
  readonly key: string
  readonly namespace: string
  readonly selector: LabelSelector | undefined
  /** Whether it allows no disruption now. The count itself changes with every pod, and nobody needs it. */
  readonly exhausted: boolean
}

export interface Node {
  readonly name: string
  readonly ready: boolean
}

export const workloadKey = (kind: string, namespace: string, name: string): string => `${kind}/${namespace}/${name}`

/** Of what is kept by its namespace and name: `namespace/name`. */
export const nameKey = (namespace: string, name: string): string => `${namespace}/${name}`
