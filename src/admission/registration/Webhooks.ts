// Webhooks: what the two webhook configurations say of us while they are switched on, and the JSON Patch that makes a
// configuration of the cluster say it. Pure. Edge: what others wrote into our configurations, under names of their own, is
// theirs; and of our entry, what we say nothing of: conditions that an administrator added stay, and what selectors exclude more.
import { Schema } from "effect"
import { alwaysIgnored } from "../../workload/Exempt.ts"
import type { Operation } from "../../workload/Patch.ts"
import { withToken } from "../PathTokens.ts"
import { narrows, type Selector } from "./Selectors.ts"

export const mutatingPath = "/mutate/v1/pods"
export const validatingPath = "/validate/v1/pods"

/** The Service of manifests/overlays/admission, in the controller's namespace. */
export const serviceName = "image-cloner-webhook"
const servicePort = 443

/** One of the two configurations, as the manifests name it. */
export interface Configuration {
  readonly kind: "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration"
  readonly name: string
  /** Where the API server has it. */
  readonly path: string
  /** Name of the one webhook in it that is ours. */
  readonly webhook: string
}

const api = "/apis/admissionregistration.k8s.io/v1"

/** Configurations are asked in the order of their names: a late one sees the sidecars that others added. */
export const mutatingConfiguration: Configuration = {
  kind: "MutatingWebhookConfiguration",
  name: "zz-image-cloner",
  path: `${api}/mutatingwebhookconfigurations/zz-image-cloner`,
  webhook: "pods.mutate.image-cloner.io"
}

export const validatingConfiguration: Configuration = {
  kind: "ValidatingWebhookConfiguration",
  name: "image-cloner",
  path: `${api}/validatingwebhookconfigurations/image-cloner`,
  webhook: "pods.validate.image-cloner.io"
}

/** Where the API server finds us, and by what it knows us. */
export interface Target {
  readonly ownNamespace: string
  /** `https://host[:port][/path]` of a daemon beside the cluster; undefined: by the Service. */
  readonly url: string | undefined
  /** PEM of the authorities. */
  readonly bundle: string
}

/** A webhook as the API has it (k8s.io/api/admissionregistration/v1). */
export interface Webhook {
  readonly name: string
  readonly namespaceSelector: Selector
  readonly objectSelector: Selector
  readonly [field: string]: unknown
}

/** How the API has bytes in JSON. */
export const encodeBundle = (bundle: string): string => Buffer.from(bundle, "utf8").toString("base64")

const clientConfig = ({ bundle, ownNamespace, url }: Target, webhookPath: string) => {
  const path = withToken(webhookPath, bundle)
  return {
    ...(url === undefined
      ? { service: { name: serviceName, namespace: ownNamespace, path, port: servicePort } }
      : { url: `${url.replace(/\/+$/, "")}${path}` }),
    caBundle: encodeBundle(bundle)
  }
}

const rule = (resource: string, operations: ReadonlyArray<"CREATE" | "UPDATE">) => ({
  apiGroups: [""],
  apiVersions: ["v1"],
  resources: [resource],
  operations,
  scope: "Namespaced"
})

/** What is judged, by the webhook and by a policy: pods, and containers that are added to them. */
export const judgedRules = [rule("pods", ["CREATE", "UPDATE"]), rule("pods/ephemeralcontainers", ["UPDATE"])]

const common = (target: Target) => ({
  admissionReviewVersions: ["v1"],
  // while we are down, pods start as they would without us
  failurePolicy: "Ignore",
  matchPolicy: "Equivalent",
  timeoutSeconds: 5,
  namespaceSelector: {
    matchExpressions: [{
      key: "kubernetes.io/metadata.name",
      operator: "NotIn",
      values: [...new Set([...alwaysIgnored, target.ownNamespace])]
    }]
  }
})

/** The webhook that points new pods to their copies. The label is a person's way out; an annotation is judged when asked. */
export const mutatingWebhook = (target: Target): Webhook => ({
  name: mutatingConfiguration.webhook,
  clientConfig: clientConfig(target, mutatingPath),
  ...common(target),
  objectSelector: { matchExpressions: [{ key: "image-cloner.io/ignore", operator: "NotIn", values: ["true"] }] },
  // sidecars that others add after us would keep their originals
  reinvocationPolicy: "IfNeeded",
  // unless it is a dry run, images that are not known are asked for
  sideEffects: "NoneOnDryRun",
  rules: [rule("pods", ["CREATE"]), rule("pods/ephemeralcontainers", ["UPDATE"])]
})

/** The webhook that warns or refuses. A label on the pod must not get it past, so there is no selector of objects. */
export const validatingWebhook = (target: Target): Webhook => ({
  name: validatingConfiguration.webhook,
  clientConfig: clientConfig(target, validatingPath),
  ...common(target),
  objectSelector: {},
  sideEffects: "None",
  rules: judgedRules
})

/** A configuration as the API server has it: as much as a patch needs. It leaves out an empty list. */
export const FoundConfiguration = Schema.Struct({
  metadata: Schema.Struct({ resourceVersion: Schema.String }),
  webhooks: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.Record(Schema.String, Schema.Unknown))))
})
export type FoundConfiguration = typeof FoundConfiguration.Type

/** Our entry of a configuration; undefined where there is none. */
export const ourWebhook = (
  { webhook }: Configuration,
  { webhooks }: FoundConfiguration
): Readonly<Record<string, unknown>> | undefined => (webhooks ?? []).find((it) => it["name"] === webhook)

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * Whether all that we say is there. What we do not say may be: the API server fills in defaults, and a later one will know
 * fields that we do not. Lists are compared whole.
 */
const says = (found: unknown, wanted: unknown): boolean => {
  if (Array.isArray(wanted)) {
    return Array.isArray(found) && found.length === wanted.length && wanted.every((it, index) => says(found[index], it))
  }
  if (!isRecord(wanted)) return found === wanted
  return isRecord(found) &&
    Object.entries(wanted).every(([key, value]) => Object.hasOwn(found, key) && says(found[key], value))
}

type SelectorField = "namespaceSelector" | "objectSelector"

/** What a selector does not say matches everything, so there more may be said only where it excludes. */
export const isSelector = (field: string): field is SelectorField =>
  field === "namespaceSelector" || field === "objectSelector"

/**
 * The fields of our entry that do not say what they should. It is the same for the webhook that refuses: what is excluded of
 * that is let through, but whoever can write the configuration can take the webhook out of it altogether. It is a guard rail,
 * and the boundary is a policy (docs/operations.md).
 */
const differing = (found: Readonly<Record<string, unknown>>, desired: Webhook): ReadonlyArray<string> =>
  Object.keys(desired).filter((field) =>
    isSelector(field)
      ? !narrows(found[field], desired[field])
      : !Object.hasOwn(found, field) || !says(found[field], desired[field])
  )

/** For people, what a difference is about: fields of our entry, or that it is missing, or there in spite of all. */
export const changed = (
  configuration: Configuration,
  found: FoundConfiguration,
  desired: Webhook | undefined
): ReadonlyArray<string> => {
  const entry = ourWebhook(configuration, found)
  if (desired === undefined) return [`${configuration.webhook} is there again`]
  if (entry === undefined) return [`${configuration.webhook} is missing`]
  const fields = differing(entry, desired)
  return fields.length === 0 ? [`${configuration.webhook} is there twice`] : fields
}

/**
 * The JSON Patch (RFC 6902) that makes a configuration say of us what is desired, and nothing where undefined is; empty where
 * it does. It holds for exactly the object that was read: the API server refuses it for any later one.
 */
export const difference = (
  configuration: Configuration,
  found: FoundConfiguration,
  desired: Webhook | undefined
): ReadonlyArray<Operation> => {
  const webhooks = found.webhooks ?? []
  const ours = webhooks.flatMap((it, index) => it["name"] === configuration.webhook ? [index] : [])
  const [first] = ours
  const changes: Array<Operation> = []
  // from the end, so that each index is still the one that was read
  for (const index of ours.toReversed()) {
    if (desired === undefined || index !== first) changes.push({ op: "remove", path: `/webhooks/${index}` })
  }
  if (desired !== undefined && first === undefined) {
    changes.push(
      found.webhooks === undefined || found.webhooks === null
        ? { op: "add", path: "/webhooks", value: [desired] }
        : { op: "add", path: "/webhooks/-", value: desired }
    )
  }
  const entry = first === undefined ? undefined : webhooks[first]
  const fields = desired === undefined || entry === undefined ? [] : differing(entry, desired)
  if (fields.length > 0) {
    // what else is there stays: an enforcer whose additions to a selector went with a new authority would add them again
    const renewed = Object.fromEntries(fields.map((field) => [field, desired?.[field]]))
    changes.push({ op: "replace", path: `/webhooks/${first}`, value: { ...entry, ...renewed } })
  }
  return changes.length === 0
    ? []
    : [{ op: "test", path: "/metadata/resourceVersion", value: found.metadata.resourceVersion }, ...changes]
}
