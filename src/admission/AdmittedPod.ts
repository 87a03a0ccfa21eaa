// AdmittedPod: the pod of an admission request, as it is decided about: its projection, whose namespace is the request's, and of
// its images those that the request brings. Pure. What does not decode as a pod is none.
import { Option, Schema } from "effect"
import { projectPod } from "../workload/ProjectPod.ts"
import { type Pod, workloadKey } from "../workload/Workload.ts"
import type { AdmissionRequest } from "./Review.ts"

export interface AdmittedPod {
  readonly pod: Pod
  /** Its label `pod-template-hash`. */
  readonly templateHash: string | undefined
  /** Whether it comes without metadata that could be changed: an ephemeral container. */
  readonly ephemeral: boolean
}

const Text = Schema.optionalKey(Schema.NullOr(Schema.String))

const Names = Schema.Struct({
  metadata: Schema.Struct({
    name: Text,
    generateName: Text,
    labels: Schema.optionalKey(Schema.NullOr(Schema.Struct({ "pod-template-hash": Text })))
  })
})

/** What the projection leaves out: whatever decodes as a pod decodes as this, at a tenth of the price of doing it twice. */
const decodeNames = Schema.decodeUnknownOption(Names)

/** Images by container, to tell which are new. */
const imagesOf = (object: unknown): ReadonlyMap<string, string> =>
  new Map((projectPod(object)?.workload.images ?? []).map((it) => [it.container, it.image]))

/** What a pod is called in messages: it may not have its name yet. */
const nameOf = ({ metadata: { generateName, name } }: typeof Names.Type, request: AdmissionRequest): string =>
  name || request.name || (generateName === undefined || generateName === null ? "" : `${generateName}…`) || "a new pod"

/**
 * The pod of a request, with the images that it brings: all of a new pod; of an update those that were not there before, by
 * container and image. Undefined where the object is no pod.
 */
export const admittedPod = (request: AdmissionRequest): AdmittedPod | undefined => {
  const object = Option.getOrUndefined(decodeNames(request.object))
  const pod = projectPod(request.object)
  if (object === undefined || pod === undefined) return undefined
  const before = request.operation === "UPDATE" ? imagesOf(request.oldObject) : new Map<string, string>()
  const name = nameOf(object, request)
  const { namespace } = request
  return {
    pod: {
      ...pod,
      workload: {
        ...pod.workload,
        // whoever makes a pod for somebody may leave its namespace out
        namespace,
        name,
        key: workloadKey("Pod", namespace, name),
        images: pod.workload.images.filter((it) => before.get(it.container) !== it.image)
      }
    },
    templateHash: object.metadata.labels?.["pod-template-hash"] ?? undefined,
    ephemeral: request.subResource === "ephemeralcontainers"
  }
}
