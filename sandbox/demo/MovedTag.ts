// MovedTag: a public tag that names another image from one moment on, while pods run the one from before. Edge: what the
// controller makes of it is seen at the workload's template and at the image id of its pod.
import { Effect } from "effect"
import { table } from "../../src/cli/Table.ts"
import * as J from "../Json.ts"
import type { EmbeddedRegistry } from "../registry/EmbeddedRegistry.ts"
import * as SampleImage from "../registry/SampleImage.ts"
import * as Cluster from "./Cluster.ts"

/** A DaemonSet of one pod uses it, and nothing else does. */
const repository = "acme/agent"
const tag = "1.0"
const user: Cluster.Named = { kind: "DaemonSet", namespace: "infra", name: "agent" }

/** Pushes another image to the tag. */
export const move = (registry: EmbeddedRegistry) =>
  registry.load(repository, SampleImage.image("agent, another build", { docker: true }), tag)

export interface Outcome {
  /** Digests: what the public tag names, and what the pod runs. */
  readonly source: string
  readonly pod: string
  /** As it stands in the template. */
  readonly image: string
}

export const see = Effect.fnUntraced(function*(registry: EmbeddedRegistry) {
  const [image = ""] = yield* Cluster.imagesNow(user)
  const [pod] = yield* Cluster.podsOf(user)
  const [status] = J.list(pod, "status", "containerStatuses")
  const outcome: Outcome = {
    source: registry.resolve(repository, tag) ?? "",
    pod: /sha256:[0-9a-f]{64}/.exec(J.text(status, "imageID") ?? "")?.[0] ?? "",
    image
  }
  return outcome
})

/** The pod runs what it ran before, and its workload names that by digest. */
export const isPinned = ({ image, pod, source }: Outcome): boolean =>
  pod !== "" && pod !== source && image.endsWith(`@${pod}`)

export const print = ({ image, pod, source }: Outcome, short: (text: string) => string): string =>
  table(["WHAT", "NAMES"], [
    [`PUBLIC/${repository}:${tag}, the tag`, short(source)],
    ["DaemonSet/infra/agent, its pod's imageID", short(pod)],
    ["and its template's image", short(image)]
  ])
