// Policy: a ValidatingAdmissionPolicy that keeps images out which are not from the backup. The API server judges by it itself, so
// it holds while the controller is down. Pure. Source: KEP-3488, k8s.io/api/admissionregistration/v1, CEL in Kubernetes (1.30).
// Edge: it sees names alone: whether a copy is there, and IMAGES_TO_IGNORE, are nothing that it can know.
import type { Backup } from "../image/BackupName.ts"
import { formatName } from "../image/ImageReference.ts"
import type { Settings } from "../settings/Settings.ts"
import { alwaysIgnored } from "../workload/Exempt.ts"
import { validationLabel } from "../workload/ProjectSurroundings.ts"
import { backupNamespaces } from "../workload/ServesBackup.ts"
import { judgedRules } from "./registration/Webhooks.ts"

/** What becomes of a pod with other images: whoever makes it is warned, the audit log says so, or it is refused. */
export type Action = "warn" | "audit" | "deny"

const policyName = "image-cloner"

const api = "admissionregistration.k8s.io/v1"
const actions = { warn: "Warn", audit: "Audit", deny: "Deny" } as const
const labels = { "app.kubernetes.io/name": "image-cloner" }

interface Given {
  readonly backup: Backup
  readonly settings: Pick<
    Settings,
    "BACKUP_REGISTRY" | "NAMESPACES_TO_IGNORE" | "NAMESPACES_TO_INCLUDE" | "BACKUP_NAMESPACES"
  >
  readonly ownNamespace: string
}

/** A string of CEL: what JSON escapes, CEL reads alike (cel-spec, "String and Bytes Values"). */
const quote = (text: string): string => JSON.stringify(text)

/** The images of a pod, in CEL. Admission comes before validation, so everything may be absent. */
const imagesOf = (pod: "object" | "oldObject"): string =>
  [
    ...["containers", "initContainers", "ephemeralContainers"].map((list) =>
      `${pod}.spec.?${list}.orValue([]).map(c, c.?image.orValue(""))`
    ),
    `${pod}.spec.?volumes.orValue([]).map(v, v.?image.?reference.orValue(""))`
  ].join(" +\n")

const namespace = (operator: "In" | "NotIn", values: ReadonlyArray<string>) => ({
  key: "kubernetes.io/metadata.name",
  operator,
  values: [...new Set(values)]
})

const selector = ({ ownNamespace, settings }: Given) => ({
  matchExpressions: [
    namespace("NotIn", [
      ...alwaysIgnored,
      ownNamespace,
      ...settings.NAMESPACES_TO_IGNORE,
      // what serves the backup must be able to start without it
      ...backupNamespaces(settings)
    ]),
    ...(settings.NAMESPACES_TO_INCLUDE.length === 0 ? [] : [namespace("In", settings.NAMESPACES_TO_INCLUDE)]),
    { key: validationLabel, operator: "NotIn", values: ["disable"] }
  ]
})

const policy = (given: Given) => {
  const prefix = formatName({ registry: given.backup.registry, repository: given.backup.prefix })
  const advice =
    `use their copies, whose names \`image-cloner plan\` shows, or label the namespace ${validationLabel}=disable`
  return {
    apiVersion: api,
    kind: "ValidatingAdmissionPolicy",
    metadata: { name: policyName, labels },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        matchPolicy: "Equivalent",
        namespaceSelector: selector(given),
        resourceRules: judgedRules
      },
      variables: [
        { name: "images", expression: imagesOf("object") },
        // what a pod has already is no reason to hold its labels and finalizers
        { name: "before", expression: `oldObject == null ? [] :\n${imagesOf("oldObject")}` },
        {
          name: "others",
          // with the slash: other names may begin with the prefix
          expression: `variables.images.filter(i, i != "" && !i.startsWith(${
            quote(`${prefix}/`)
          }) && !(i in variables.before))`
        }
      ],
      validations: [{
        expression: "size(variables.others) == 0",
        reason: "Forbidden",
        // where the names are too long for a message
        message: `not all images are from the backup ${prefix}; ${advice}`,
        messageExpression: `"not from the backup " + ${quote(prefix)} + ": " + variables.others.join(", ") + ${
          quote(`; ${advice}`)
        }`
      }]
    }
  }
}

const binding = (action: Action) => ({
  apiVersion: api,
  kind: "ValidatingAdmissionPolicyBinding",
  metadata: { name: policyName, labels },
  spec: { policyName, validationActions: [actions[action]] }
})

/** The policy and its binding, as the API has them. */
export const policyObjects = (given: Given & { readonly action: Action }): readonly [object, object] => [
  policy(given),
  binding(given.action)
]
