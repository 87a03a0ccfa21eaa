// ProjectSurroundings: what is kept of the objects around workloads: namespaces, accounts, budgets and nodes. As lenient as Project.
import { Option, Schema } from "effect"
import { AccountObject, BudgetObject, NamespaceObject, NodeObject } from "./ApiObjects.ts"
import { marksOf, pullSecretsHeldBy } from "./Marks.ts"
import { namesOf } from "./Project.ts"
import { type Account, type Budget, nameKey, type Namespace, type Node } from "./Workload.ts"

const decodeNamespace = Schema.decodeUnknownOption(NamespaceObject)
const decodeAccount = Schema.decodeUnknownOption(AccountObject)
const decodeBudget = Schema.decodeUnknownOption(BudgetObject)
const decodeNode = Schema.decodeUnknownOption(NodeObject)

/** On a namespace, `disable` takes it out of validation; the first version of this controller had it. */
export const validationLabel = "validate-backups.image-cloner.io"

export const projectNamespace = (object: unknown): Namespace | undefined =>
  Option.getOrUndefined(Option.map(decodeNamespace(object), ({ metadata }) => ({
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    marks: marksOf(metadata.labels ?? {}, metadata.annotations ?? {}),
    ...(metadata.labels?.[validationLabel] === "disable" ? { unvalidated: true } : {}),
    ...((metadata.deletionTimestamp ?? "") === "" ? {} : { terminating: true })
  })))

export const projectAccount = (object: unknown): Account | undefined =>
  Option.getOrUndefined(Option.map(decodeAccount(object), ({ imagePullSecrets, metadata }) => {
    const namespace = metadata.namespace ?? "default"
    const listHolder = pullSecretsHeldBy(metadata.managedFields ?? [])
    return {
      key: nameKey(namespace, metadata.name ?? ""),
      namespace,
      pullSecrets: namesOf(imagePullSecrets),
      ...(listHolder === undefined ? {} : { listHolder })
    }
  }))

/** As for an eviction, a budget whose status is older than itself allows nothing (registry/core/pod/storage, eviction.go). */
export const projectBudget = (object: unknown): Budget | undefined =>
  Option.getOrUndefined(Option.map(decodeBudget(object), ({ metadata, spec, status }) => {
    const namespace = metadata.namespace ?? "default"
    const selector = spec?.selector ?? undefined
    return {
      key: nameKey(namespace, metadata.name ?? ""),
      namespace,
      selector: selector && {
        labels: selector.matchLabels ?? {},
        expressions: (selector.matchExpressions ?? []).map((it) => ({
          key: it.key ?? "",
          operator: it.operator ?? "",
          values: it.values ?? []
        }))
      },
      exhausted: (status?.observedGeneration ?? 0) < (metadata.generation ?? 0) ||
        (status?.disruptionsAllowed ?? 0) <= 0
    }
  }))

export const projectNode = (object: unknown): Node | undefined =>
  Option.getOrUndefined(Option.map(decodeNode(object), ({ metadata, status }) => ({
    name: metadata.name ?? "",
    ready: status?.conditions?.some((it) => it.type === "Ready" && it.status === "True") ?? false
  })))
