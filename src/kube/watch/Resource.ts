// Resource: a kind of the cluster as whoever watches it describes it: where it is, and what is kept of its objects.
import type { Message } from "../../protobuf/Message.ts"
import type { Meta } from "./WatchEvent.ts"
import { WireObject } from "./WireEvent.ts"

export interface Resource<A> {
  /** For metrics, health and logs, and unique among the watches of the process: "deployments". */
  readonly name: string
  /** "/apis/apps/v1/deployments" */
  readonly path: string
  /** Selectors. */
  readonly query?: Readonly<Record<string, string>> | undefined
  /** What is kept of an object; undefined: nothing. Objects of lists have neither kind nor apiVersion. Must not throw. */
  readonly project: (object: unknown) => A | undefined
  /** The same in Protocol Buffers: which fields are read, and what is kept of them. Without it all is JSON. */
  readonly wire?: { readonly message: Message; readonly project: (object: object) => A | undefined } | undefined
  /** The same for an object as long as it lives, and the key of what is kept of it. */
  readonly key: (meta: Meta) => string
  /** The same key, where what is kept has it already: a second text for each object of a list is time and memory. */
  readonly keyOf?: ((item: A) => string) | undefined
}

/** What is kept of an object, however it was read. */
export const keepOf =
  <A>({ project, wire }: Pick<Resource<A>, "project" | "wire">) => (object: unknown): A | undefined =>
    object instanceof WireObject ? wire?.project(object.fields) : project(object)
