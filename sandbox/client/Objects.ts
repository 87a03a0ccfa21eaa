// Reading and writing objects of any API server as JSON, for the sandbox's controllers and kubelet.
// Every write names its field manager; answers are objects, or the KubeError of the client.
import { Effect } from "effect"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import type { KubeRequest } from "../../src/kube/KubeClient.ts"
import type { KubeError } from "../../src/kube/KubeError.ts"
import type { Resource } from "../cluster/Resources.ts"
import * as Resources from "../cluster/Resources.ts"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"

export interface Place {
  readonly resource: Resource
  readonly namespace: string
  readonly name: string
}

export type Call<A = JsonObject> = Effect.Effect<A, KubeError, KubeClient>

const send = (request: KubeRequest): Call =>
  Effect.flatMap(
    KubeClient,
    (client) => Effect.map(client.request(request), (answer) => J.isObject(answer) ? answer : {})
  )

/** The resource of a kind; the kinds asked for are all in the table. */
export const resource = (kind: string): Resource => {
  const found = Resources.byKind(kind)
  // A kind that is not in the table is a mistake in this folder: a path nobody serves makes it seen.
  return found ?? {
    group: "",
    version: "v1",
    plural: kind,
    singular: kind,
    kind,
    shortNames: [],
    namespaced: true,
    subresources: [],
    generation: false,
    all: false,
    storage: kind
  }
}

const pathOf = (place: Place): string => Resources.pathOf(place.resource, place.namespace, place.name)

export const get = (place: Place): Call => send({ method: "GET", path: pathOf(place) })

/** All objects of a namespace. */
export const list = (kind: Resource, namespace: string): Call<ReadonlyArray<JsonObject>> =>
  Effect.map(
    send({ method: "GET", path: Resources.pathOf(kind, namespace) }),
    (answer) => J.list(answer, "items").filter(J.isObject)
  )

export const create = (manager: string, kind: Resource, namespace: string, body: JsonObject): Call =>
  send({
    method: "POST",
    path: Resources.pathOf(kind, namespace),
    query: { fieldManager: manager },
    body: { apiVersion: Resources.apiVersionOf(kind), kind: kind.kind, ...body }
  })

/** Merge patch, of the object or of a subresource ("status", "scale"). */
export const patch = (manager: string, place: Place, body: JsonObject, subresource = ""): Call =>
  send({
    method: "PATCH",
    path: `${pathOf(place)}${subresource === "" ? "" : `/${subresource}`}`,
    query: { fieldManager: manager },
    body,
    contentType: "application/merge-patch+json"
  })

export const post = (place: Place, subresource: string, body: JsonObject): Call =>
  send({ method: "POST", path: `${pathOf(place)}/${subresource}`, body })

export const put = (place: Place, subresource: string, body: JsonObject): Call =>
  send({ method: "PUT", path: `${pathOf(place)}${subresource === "" ? "" : `/${subresource}`}`, body })

/** Deletes the very object of that uid; its dependents go in the background. */
export const remove = (place: Place, uid: string, gracePeriodSeconds?: number): Call =>
  send({
    method: "DELETE",
    path: pathOf(place),
    body: {
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: "Background",
      preconditions: { uid },
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds })
    }
  })

/** Gone already, or another object by now: for a deletion that is as good. */
export const ignoreGone = <A, R>(call: Effect.Effect<A, KubeError, R>): Effect.Effect<void, KubeError, R> =>
  Effect.asVoid(call).pipe(
    Effect.catchIf((error) => error.reason === "NotFound" || error.reason === "Conflict", () => Effect.void)
  )
