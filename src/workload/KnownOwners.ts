// KnownOwners: the traces of tools that own pod templates, as tables: adding a tool is adding a line here.
// Each trace was read in the tool's own source, named beside it as repository:path. A guess that is wrong starts a fight
// with the owner, or leaves a workload unprotected without a word.
import { Option, Schema } from "effect"

type Place = "annotation" | "label"

/** A label or an annotation by which a tool marks what it owns. */
export interface Mark {
  readonly tool: string
  /** Where the tool looks for the key; the first place that has it counts. */
  readonly on: ReadonlyArray<Place>
  readonly key: string
  /** Which values mean it; any, where this is absent. */
  readonly when?: (value: string) => boolean
  /** The label beside it with which the tool lets go all the same. */
  readonly unless?: readonly [key: string, value: string]
}

const is = (wanted: string) => (value: string): boolean => value === wanted

const Triggers = Schema.fromJsonString(Schema.Array(Schema.Struct({ paused: Schema.optionalKey(Schema.Boolean) })))
const decodeTriggers = Schema.decodeUnknownOption(Triggers)

/** Whether an OpenShift trigger is on. What cannot be read counts as on: somebody meant it. */
const isTriggered = (value: string): boolean =>
  Option.match(decodeTriggers(value), {
    onNone: () => true,
    onSome: (triggers) => triggers.some((it) => it.paused !== true)
  })

/** In the order in which they are asked: who renders with Helm stands before Helm, so that the real owner is named. */
export const marks: ReadonlyArray<Mark> = [
  // argoproj/argo-cd:common/common.go (AnnotationKeyAppInstance); the label where it is chosen as application.instanceLabelKey
  { tool: "Argo CD", on: ["annotation"], key: "argocd.argoproj.io/tracking-id" },
  { tool: "Argo CD", on: ["label"], key: "argocd.argoproj.io/instance" },
  // fluxcd/kustomize-controller:internal/controller/kustomization_controller.go (SetOwnerLabels of its group)
  { tool: "Flux", on: ["label"], key: "kustomize.toolkit.fluxcd.io/name" },
  { tool: "Flux", on: ["label"], key: "helm.toolkit.fluxcd.io/name" },
  // rancher/fleet:internal/cmd/agent/deployer/desiredset/plan.go (LabelID, written as an annotation). k3s writes the same, with an
  // empty value, on what lies in its folder of manifests. Not the label …/hash: operators copy it to what they make.
  { tool: "Fleet, or Rancher or k3s", on: ["annotation"], key: "objectset.rio.cattle.io/id" },
  // operator-framework/operator-lifecycle-manager:pkg/lib/ownerutil/util.go (OwnerKey)
  { tool: "OLM", on: ["label"], key: "olm.owner" },
  // operator-framework/operator-controller:internal/operator-controller/labels/labels.go (OwnerNameKey): OLM's second version
  { tool: "OLM", on: ["label"], key: "olm.operatorframework.io/owner-name" },
  // carvel-dev/kapp:pkg/kapp/app/recorded_app.go, and pkg/kapp/resources/identity_annotation.go for apps with labels of their own
  { tool: "kapp", on: ["label"], key: "kapp.k14s.io/app" },
  { tool: "kapp", on: ["annotation"], key: "kapp.k14s.io/identity" },
  // keel-hq/keel:internal/policy/policy.go: the annotation before the label; "" and "never" are no policy
  {
    tool: "keel",
    on: ["annotation", "label"],
    key: "keel.sh/policy",
    when: (value) => value !== "" && value !== "never"
  },
  {
    tool: "keel",
    on: ["annotation", "label"],
    key: "keel.observer/policy",
    when: (value) => value !== "" && value !== "never"
  },
  // openshift/library-go:pkg/image/trigger/types.go and annotations.go
  { tool: "OpenShift's image trigger", on: ["annotation"], key: "image.openshift.io/triggers", when: isTriggered },
  // kubernetes/kubernetes:cluster/addons/addon-manager/kube-addons.sh: what is EnsureExists is made once and then left alone
  { tool: "the addon manager", on: ["label"], key: "addonmanager.kubernetes.io/mode", when: is("Reconcile") },
  {
    tool: "the addon manager",
    on: ["label"],
    key: "kubernetes.io/cluster-service",
    when: is("true"),
    unless: ["addonmanager.kubernetes.io/mode", "EnsureExists"]
  },
  // GoogleContainerTools/kpt-config-sync:pkg/metadata/labels.go (ManagedByValue)
  {
    tool: "Config Sync",
    on: ["label"],
    key: "app.kubernetes.io/managed-by",
    when: is("configmanagement.gke.io")
  },
  // helm/helm:pkg/action/validate.go (helmReleaseNameAnnotation, appManagedByLabel)
  { tool: "Helm", on: ["annotation"], key: "meta.helm.sh/release-name" },
  { tool: "Helm", on: ["label"], key: "app.kubernetes.io/managed-by", when: is("Helm") },
  // pulumi/pulumi-kubernetes:provider/pkg/metadata/labels.go (TrySetManagedByLabel): without server-side apply alone
  { tool: "Pulumi", on: ["label"], key: "app.kubernetes.io/managed-by", when: is("pulumi") }
]

/** A name under which a tool stands in `managedFields`. One that names none is the User-Agent up to its first slash. */
export interface FieldManager {
  readonly tool: string
  readonly name: string
  /** Whether the name is only how it begins. */
  readonly begins?: true
  /** Which of its fields make it the owner of a template. */
  readonly fields: "images" | "any"
}

const images = (tool: string, ...names: ReadonlyArray<string>): ReadonlyArray<FieldManager> =>
  names.map((name) => ({ tool, name, fields: "images" }))

export const fieldManagers: ReadonlyArray<FieldManager> = [
  // argoproj/argo-cd:common/common.go (ArgoCDSSAManager, for client-side apply too); the other is the User-Agent that
  // cmd/argocd-application-controller/commands/argocd_application_controller.go sets: creates and replaces
  ...images("Argo CD", "argocd-controller", "argocd-application-controller"),
  // fluxcd/kustomize-controller:main.go (controllerName), fluxcd/helm-controller:main.go (ManagedFieldsManager)
  ...images("Flux", "kustomize-controller", "helm-controller"),
  // helm/helm:cmd/helm/helm.go (ManagedFieldsManager); "Helm" is the User-Agent of internal/version/version.go
  ...images("Helm", "helm", "Helm"),
  // GoogleContainerTools/kpt-config-sync:pkg/api/configsync/register.go, pkg/reconcilermanager/constants.go
  ...images("Config Sync", "configsync.gke.io", "configsync.gke.io/reconciler-manager"),
  // carvel-dev/kapp:pkg/kapp/cmd/core/config_factory.go sets no User-Agent: client-go's, which begins with the program's name
  ...images("kapp", "kapp"),
  // hashicorp/terraform-provider-kubernetes:kubernetes/provider.go (User-Agent), manifest/provider/plan.go (kubernetes_manifest)
  ...images("Terraform", "HashiCorp", "Terraform"),
  // pulumi/pulumi-kubernetes:provider/pkg/provider/provider.go (fieldManagerName), provider/pkg/await/await.go for older names
  ...images("Pulumi", "pulumi-kubernetes", "pulumi-kubernetes.exe", "pulumi-resource-kubernetes"),
  { tool: "Pulumi", name: "pulumi-kubernetes-", begins: true, fields: "images" },
  // fluxcd/flagger:pkg/canary/deployment_controller.go and daemonset_controller.go: all that it writes on a target is replicas or
  // a nodeSelector, and nothing else on the object tells; a new image there starts an analysis. cmd/flagger sets no User-Agent.
  { tool: "Flagger", name: "flagger", fields: "any" }
]

// kubernetes/kubernetes:pkg/controlplane/instance.go, with those of apiextensions, kube-aggregator and the image policy webhook.
// The suffix k8s.io alone tells nothing: snapshot.storage.k8s.io, autoscaling.k8s.io or sparkoperator.k8s.io are custom.
const builtInGroups: ReadonlySet<string> = new Set([
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "apiregistration.k8s.io",
  "authentication.k8s.io",
  "authorization.k8s.io",
  "certificates.k8s.io",
  "coordination.k8s.io",
  "discovery.k8s.io",
  "events.k8s.io",
  "flowcontrol.apiserver.k8s.io",
  "imagepolicy.k8s.io",
  "internal.apiserver.k8s.io",
  "networking.k8s.io",
  "node.k8s.io",
  "rbac.authorization.k8s.io",
  "resource.k8s.io",
  "scheduling.k8s.io",
  "storage.k8s.io",
  "storagemigration.k8s.io"
])

/**
 * Whether kinds of an `apiVersion` are Kubernetes' own. A group without a dot always is: no custom resource can have one
 * (kubernetes/kubernetes:staging/src/k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go).
 */
export const isBuiltIn = (apiVersion: string): boolean => {
  const slash = apiVersion.indexOf("/")
  const group = slash < 0 ? "" : apiVersion.slice(0, slash)
  return !group.includes(".") || builtInGroups.has(group)
}
