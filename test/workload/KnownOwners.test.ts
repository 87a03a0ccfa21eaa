import { assert, describe, it } from "@effect/vitest"
import { fieldManagers, isBuiltIn, marks } from "../../src/workload/KnownOwners.ts"
import { ownedImage, workload } from "../support/Objects.ts"
import { annotated, inTemplate, labelled, owned, triggers, update } from "./Metadata.ts"

/** Metadata as each tool leaves it, and what is said of it. */
const tools: ReadonlyArray<readonly [what: string, metadata: Record<string, unknown>, manager: string]> = [
  [
    "Argo CD's tracking",
    annotated({ "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web" }),
    "Argo CD (annotation argocd.argoproj.io/tracking-id)"
  ],
  [
    "Argo CD's label",
    labelled({ "argocd.argoproj.io/instance": "shop" }),
    "Argo CD (label argocd.argoproj.io/instance)"
  ],
  [
    "a Kustomization",
    labelled({ "kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system" }),
    "Flux (label kustomize.toolkit.fluxcd.io/name)"
  ],
  [
    "a HelmRelease, though it renders with Helm",
    {
      labels: { "helm.toolkit.fluxcd.io/name": "web", "app.kubernetes.io/managed-by": "Helm" },
      annotations: { "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop" }
    },
    "Flux (label helm.toolkit.fluxcd.io/name)"
  ],
  [
    "Helm",
    annotated({ "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop" }),
    "Helm (annotation meta.helm.sh/release-name)"
  ],
  [
    "a chart's label",
    labelled({ "app.kubernetes.io/managed-by": "Helm" }),
    "Helm (label app.kubernetes.io/managed-by)"
  ],
  [
    "a bundle of Fleet, though it renders with Helm",
    {
      labels: { "objectset.rio.cattle.io/hash": "3bf2f1c5", "app.kubernetes.io/managed-by": "Helm" },
      annotations: { "objectset.rio.cattle.io/id": "default-shop-web", "meta.helm.sh/release-name": "shop-web" }
    },
    "Fleet, or Rancher or k3s (annotation objectset.rio.cattle.io/id)"
  ],
  [
    "a manifest of k3s",
    annotated({
      "objectset.rio.cattle.io/id": "",
      "objectset.rio.cattle.io/owner-gvk": "k3s.cattle.io/v1, Kind=Addon",
      "objectset.rio.cattle.io/owner-name": "web"
    }),
    "Fleet, or Rancher or k3s (annotation objectset.rio.cattle.io/id)"
  ],
  [
    "a ClusterServiceVersion of OLM",
    {
      ...labelled({
        "olm.managed": "true",
        "olm.owner": "etcdoperator.v0.9.4",
        "olm.owner.kind": "ClusterServiceVersion",
        "olm.owner.namespace": "operators"
      }),
      ...owned("operators.coreos.com/v1alpha1", "ClusterServiceVersion", "etcdoperator.v0.9.4", { controller: false })
    },
    "OLM (label olm.owner)"
  ],
  [
    "a ClusterExtension of OLM",
    labelled({
      "olm.operatorframework.io/owner-kind": "ClusterExtension",
      "olm.operatorframework.io/owner-name": "argocd"
    }),
    "OLM (label olm.operatorframework.io/owner-name)"
  ],
  [
    "an app of kapp",
    labelled({ "kapp.k14s.io/app": "1595619933134057000", "kapp.k14s.io/association": "v1.b90f821a0c6816e9" }),
    "kapp (label kapp.k14s.io/app)"
  ],
  [
    "an app of kapp with a label of its own",
    annotated({ "kapp.k14s.io/identity": "v1;shop/apps/Deployment/web;apps/v1" }),
    "kapp (annotation kapp.k14s.io/identity)"
  ],
  [
    "keel's policy",
    annotated({ "keel.sh/policy": "minor", "keel.sh/trigger": "poll" }),
    "keel (annotation keel.sh/policy)"
  ],
  ["keel's policy as a label", labelled({ "keel.sh/policy": "glob:build-*" }), "keel (label keel.sh/policy)"],
  ["keel's old policy", labelled({ "keel.observer/policy": "all" }), "keel (label keel.observer/policy)"],
  [
    "an image trigger of OpenShift",
    triggers(undefined),
    "OpenShift's image trigger (annotation image.openshift.io/triggers)"
  ],
  [
    "one image trigger that is on",
    triggers(true, false),
    "OpenShift's image trigger (annotation image.openshift.io/triggers)"
  ],
  [
    "an image trigger that cannot be read",
    annotated({ "image.openshift.io/triggers": "[{" }),
    "OpenShift's image trigger (annotation image.openshift.io/triggers)"
  ],
  [
    "an addon",
    labelled({ "addonmanager.kubernetes.io/mode": "Reconcile" }),
    "the addon manager (label addonmanager.kubernetes.io/mode)"
  ],
  [
    "an addon of the old form",
    labelled({ "kubernetes.io/cluster-service": "true" }),
    "the addon manager (label kubernetes.io/cluster-service)"
  ],
  [
    "Config Sync",
    {
      ...labelled({ "app.kubernetes.io/managed-by": "configmanagement.gke.io" }),
      ...annotated({ "configsync.gke.io/resource-id": "apps_deployment_shop_web" })
    },
    "Config Sync (label app.kubernetes.io/managed-by)"
  ],
  [
    "Pulumi without server-side apply",
    labelled({ "app.kubernetes.io/managed-by": "pulumi" }),
    "Pulumi (label app.kubernetes.io/managed-by)"
  ],
  // Flagger's patch of a target, by which alone the target can be told; the nodeSelector is that of a DaemonSet
  [
    "a Deployment that Flagger scales",
    update("flagger", { "f:spec": { "f:replicas": {} } }),
    "Flagger (field manager flagger)"
  ],
  [
    "a DaemonSet that Flagger parks",
    update("flagger", inTemplate({ "f:nodeSelector": { ".": {}, "f:flagger.app/scale-to-zero": {} } })),
    "Flagger (field manager flagger)"
  ],
  [
    "an operator whose resource lists itself as an owner",
    owned("velero.io/v1", "Backup", "nightly", { controller: false }),
    "Backup nightly (owner reference to velero.io/v1)"
  ],
  [
    "a custom resource in a group that only looks like Kubernetes' own",
    owned("app.k8s.io/v1beta1", "Application", "shop"),
    "Application shop (owner reference to app.k8s.io/v1beta1)"
  ]
]

const managers: Readonly<Record<string, ReadonlyArray<string>>> = {
  "Argo CD": ["argocd-controller", "argocd-application-controller"],
  Flux: ["kustomize-controller", "helm-controller"],
  Helm: ["helm", "Helm"],
  "Config Sync": ["configsync.gke.io", "configsync.gke.io/reconciler-manager"],
  kapp: ["kapp"],
  Terraform: ["HashiCorp", "Terraform"],
  Pulumi: ["pulumi-kubernetes", "pulumi-kubernetes-31df3088", "pulumi-kubernetes.exe", "pulumi-resource-kubernetes"]
}

describe("a template is owned by", () => {
  for (const [what, metadata, manager] of tools) {
    it(`${what}`, () => assert.strictEqual(workload({ metadata }).manager, manager))
  }

  for (const [tool, names] of Object.entries(managers)) {
    it(`${tool}, that has set an image by applying or updating`, () => {
      for (const name of names) {
        for (const operation of ["Apply", "Update"]) {
          assert.strictEqual(
            workload({ metadata: update(name, ownedImage, { operation }) }).manager,
            `${tool} (field manager ${name})`
          )
        }
      }
    })
  }
})

describe("kinds of Kubernetes' own", () => {
  it("are those of its groups, and of any group without a dot, which no custom resource can have", () => {
    for (
      const it of ["v1", "apps/v1", "batch/v1", "extensions/v1beta1", "policy/v1", "storage.k8s.io/v1", "later/v1"]
    ) {
      assert.isTrue(isBuiltIn(it), it)
    }
  })

  it("are not those of groups that only end like them", () => {
    for (
      const it of [
        "velero.io/v1",
        "flagger.app/v1beta1",
        "apps.openshift.io/v1",
        "snapshot.storage.k8s.io/v1",
        "autoscaling.k8s.io/v1",
        "sparkoperator.k8s.io/v1beta2",
        "cluster.x-k8s.io/v1beta1",
        "gateway.networking.k8s.io/v1"
      ]
    ) assert.isFalse(isBuiltIn(it), it)
  })
})

describe("the tables", () => {
  it("say each thing once", () => {
    const said = [
      ...marks.flatMap((it) => it.on.map((place) => `${place} ${it.key} ${it.tool}`)),
      ...fieldManagers.map((it) => it.name)
    ]
    assert.strictEqual(new Set(said).size, said.length)
  })

  it("name neither ourselves nor kubectl", () => {
    const names = fieldManagers.map((it) => it.name)
    assert.isFalse(names.some((it) => it.startsWith("kube") || it.startsWith("image-cloner")))
  })
})
