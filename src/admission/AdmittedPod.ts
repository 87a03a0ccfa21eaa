// AdmittedPod: the pod of an admission request, as it is decided about: its projection, whose namespace is the request's, and of
// its images those that the request brings. Pure. What does not decode as a pod is none.
import { Option, Schema } from "effect"
import { PodObject } from "../workload/ApiObjects.ts"
import { projectPod } from "../workload/Project.ts"
import { type Pod, workloadKey } from "../workload/Workload.ts"
import type { AdmissionRequest } from "./Review.ts"

export interface AdmittedPod {
  readonly pod: Pod
  /** Its label `pod-template-hash`. */
  readonly templateHash: string | undefined
  /** Whether it comes without metadata that could be changed: an ephemeral container. */
  readonly ephemeral: boolean
}

const decode = Schema.decodeUnknownOption(PodObject)

/** Images by container, to tell which are new. */
const imagesOf = (object: unknown): ReadonlyMap<string, string> =>
  new Map((projectPod(object)?.workload.images ?? []).map((it) => [it.container, it.image]))

/** What a pod is called in messages: it may not have its name yet. */
const nameOf = ({ metadata: { generateName, name } }: Named, request: AdmissionRequest): string =>
  name || request.name || (generateName === undefined || generateName === null ? "" : `${generateName}…`) || "a new pod"

interface Named {
  readonly metadata: { readonly name?: string | null; readonly generateName?: string | null }
}

/**
 * The pod of a request, with the images that it brings: all of a new pod; of an update those that were not there before, by
 * container and image. Undefined where the object is no pod.
 */
export const admittedPod = (request: AdmissionRequest): AdmittedPod | undefined => {
  const object = Option.getOrUndefined(decode(request.object))
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
    templateHash: object.metadata.labels?.["pod-template-hash"],
    ephemeral: request.subResource === "ephemeralcontainers"
  }
}
