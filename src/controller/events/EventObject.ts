// EventObject: an Event as events.k8s.io/v1 has it, and the patch that counts another one of its series. Pure. Sources: k8s
// staging/src/k8s.io/api/events/v1/types.go, pkg/apis/core/validation/events.go; names and series as client-go tools/events makes them.
import { unfit } from "../../http/UnfitText.ts"
import type { KubeRequest } from "../../kube/KubeClient.ts"
import { microTime } from "../../kube/MicroTime.ts"
import type { Regarding, ToldEvent } from "./EventOf.ts"

/** Who writes them: a qualified name. */
const reportingController = "image-cloner.io/controller"
const fieldManager = "image-cloner-controller"

/** Bytes of a note, and of the names of reasons, actions and instances. */
const longestNote = 1024
const longestName = 128
/** Of the object's name in the Event's: a name has 253 characters, and the moment takes sixteen and a point. */
const longestObject = 230

/** The beginning of a text within so many bytes of UTF-8, on one line. */
export const withinBytes = (text: string, most: number): string => {
  const line = text.replaceAll(unfit, " ")
  if (Buffer.byteLength(line) <= most) return line
  const end = "…"
  let left = most - Buffer.byteLength(end)
  let kept = ""
  for (const character of line) {
    left -= Buffer.byteLength(character)
    if (left < 0) break
    kept += character
  }
  return kept + end
}

/** What the Event is called: the object, and the moment in nanoseconds. */
export const eventName = ({ name }: Regarding, nanos: bigint): string =>
  `${name.slice(0, longestObject).replace(/[^a-z0-9]+$/, "")}.${nanos.toString(16)}`

const collection = (namespace: string): string =>
  `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/events`

interface Moment {
  /** Of the Event. */
  readonly name: string
  /** The replica that writes it. */
  readonly instance: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** How many there were in all, where it is a series. */
const seriesOf = (count: number, now: number) =>
  count < 2 ? {} : { series: { count, lastObservedTime: microTime(now) } }

/** The request that makes it. Sent once: whether this replica leads is asked before every write. */
export const createEvent = (event: ToldEvent, { instance, name, now }: Moment, count = 1): KubeRequest => {
  const { action, note, reason, regarding, type } = event
  const { uid, ...reference } = regarding
  return {
    method: "POST",
    path: collection(regarding.namespace),
    query: { fieldManager, fieldValidation: "Strict" },
    body: {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name, namespace: regarding.namespace },
      eventTime: microTime(now),
      type,
      reason,
      action,
      note: withinBytes(note, longestNote),
      regarding: { ...reference, ...(uid === undefined ? {} : { uid }) },
      reportingController,
      reportingInstance: withinBytes(instance, longestName),
      ...seriesOf(count, now)
    },
    once: true
  }
}

/** The request that tells of another one. */
export const countEvent = ({ regarding }: ToldEvent, { name, now }: Moment, count: number): KubeRequest => ({
  method: "PATCH",
  path: `${collection(regarding.namespace)}/${encodeURIComponent(name)}`,
  query: { fieldManager, fieldValidation: "Strict" },
  contentType: "application/merge-patch+json",
  body: seriesOf(count, now),
  once: true
})
