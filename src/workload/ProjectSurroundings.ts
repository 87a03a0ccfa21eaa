// ProjectSurroundings: what is kept of the objects around workloads: namespaces, accounts and nodes. As lenient as Project.
import { Option, Schema } from "effect"
import { AccountObject, NamespaceObject, NodeObject } from "./ApiObjects.ts"
import { marksOf } from "./Marks.ts"
import { namesOf } from "./Project.ts"
import { type Account, accountKey, type Namespace, type Node } from "./Workload.ts"

const decodeNamespace = Schema.decodeUnknownOption(NamespaceObject)
const decodeAccount = Schema.decodeUnknownOption(AccountObject)
const decodeNode = Schema.decodeUnknownOption(NodeObject)

export const projectNamespace = (object: unknown): Namespace | undefined =>
  Option.getOrUndefined(Option.map(decodeNamespace(object), ({ metadata }) => ({
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    marks: marksOf(metadata.labels ?? {}, metadata.annotations ?? {})
  })))

export const projectAccount = (object: unknown): Account | undefined =>
  Option.getOrUndefined(Option.map(decodeAccount(object), ({ imagePullSecrets, metadata }) => {
    const namespace = metadata.namespace ?? "default"
    return { key: accountKey(namespace, metadata.name ?? ""), namespace, pullSecrets: namesOf(imagePullSecrets) }
  }))

export const projectNode = (object: unknown): Node | undefined =>
  Option.getOrUndefined(Option.map(decodeNode(object), ({ metadata, status }) => ({
    name: metadata.name ?? "",
    ready: status?.conditions?.some((it) => it.type === "Ready" && it.status === "True") ?? false
  })))
