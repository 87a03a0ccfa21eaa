import { assert, describe, it } from "@effect/vitest"
import type { Settings } from "../../src/settings/Settings.ts"
import type { Facts } from "../../src/workload/Facts.ts"
import { plan } from "../../src/workload/Plan.ts"
import type { Pod } from "../../src/workload/Workload.ts"
import { ownedImage, pod, workload } from "../support/Objects.ts"
import { a, backedUp, copy, deployed, failed, given, nginx, now, settled, states, verdict } from "./Planned.ts"

describe("what is rewritten", () => {
  it("a settled workload whose image is backed up, to the name of its copy", () => {
    const it = workload()
    const planned = plan(it, given({}, { pods: settled(it) }))
    assert.deepStrictEqual(planned.verdict, { _tag: "Rewrite", as: "rollout" })
    assert.deepStrictEqual(planned.images.map((image) => image.to), [copy])
    assert.deepStrictEqual(planned.wants, [nginx])
  })

  it("containers, init containers, ephemeral containers and image volumes alike", () => {
    const it = workload({
      images: { app: "nginx:1.27" },
      initImages: { setup: "busybox" },
      volumes: { data: "ghcr.io/a/data:1" },
      podSpec: { ephemeralContainers: [{ name: "debug", image: "alpine" }] }
    })
    assert.deepStrictEqual(plan(it, given()).wants.toSorted(), [
      "docker.io/library/alpine:latest",
      "docker.io/library/busybox:latest",
      nginx,
      "ghcr.io/a/data:1"
    ])
  })

  it("with the digest where PIN_DIGESTS is on", () => {
    const it = workload()
    assert.strictEqual(
      plan(it, given({ PIN_DIGESTS: true }, { pods: settled(it) })).images[0]?.to,
      `${copy}@${a}`
    )
  })

  for (
    const kind of ["Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "CronJob"] as const
  ) {
    it(`a ${kind}`, () => assert.strictEqual(deployed({ kind }), "Rewrite"))
  }
})

describe("skipped", () => {
  it("namespaces that are always ignored, ignored, or not included, are not even cloned", () => {
    for (
      const [namespace, settings] of [
        ["kube-system", {}],
        ["kube-proxy", {}],
        ["image-cloner", {}],
        ["shop", { NAMESPACES_TO_IGNORE: ["shop"] }],
        ["shop", { NAMESPACES_TO_INCLUDE: ["other"] }]
      ] as const
    ) {
      const planned = plan(workload({ namespace }), given(settings))
      assert.deepStrictEqual([planned.verdict._tag, planned.wants], ["Skipped", []], namespace)
    }
    assert.strictEqual(deployed({ namespace: "shop" }, { NAMESPACES_TO_INCLUDE: ["shop"] }), "Rewrite")
  })

  it("opted out: the most specific mark counts", () => {
    const namespace = { name: "shop", uid: "shop", marks: { ignore: true, rewrite: undefined } }
    const ignore = (value: string) => ({ metadata: { annotations: { "image-cloner.io/ignore": value } } })
    assert.strictEqual(deployed(ignore("true")), "opted-out")
    assert.strictEqual(deployed({ metadata: { labels: { "image-cloner.io/ignore": "true" } } }), "opted-out")
    assert.strictEqual(deployed({}, {}, { namespace }), "opted-out")
    assert.strictEqual(deployed(ignore("false"), {}, { namespace }), "Rewrite")
    assert.strictEqual(deployed({}, {}, { owners: [workload(ignore("true"))] }), "opted-out")
  })

  it("owned objects, Job templates and Pods: cloned, never patched", () => {
    const ownerReferences = [
      { apiVersion: "monitoring.coreos.com/v1", kind: "Prometheus", name: "main", uid: "u", controller: true }
    ]
    const owned = plan(workload({ kind: "StatefulSet", metadata: { ownerReferences } }), given())
    assert.deepStrictEqual(owned.verdict, {
      _tag: "Skipped",
      reason: "owned",
      detail: "Prometheus main controls it"
    })
    assert.deepStrictEqual(owned.wants, [nginx])
    assert.strictEqual(deployed({ kind: "Job" }), "immutable")
    assert.strictEqual(verdict(pod().workload, given()), "immutable")
  })

  it("releases to which somebody may go back, and what is at zero now, are wanted like what runs", () => {
    const controller = { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "web", controller: true }
    const old = workload({
      kind: "ReplicaSet",
      metadata: { ownerReferences: [controller] },
      images: { app: "nginx:1.26" },
      spec: { replicas: 0 }
    })
    assert.deepStrictEqual(plan(old, given()).wants, ["docker.io/library/nginx:1.26"])
    for (const kind of ["Deployment", "StatefulSet", "ReplicaSet"] as const) {
      assert.deepStrictEqual(plan(workload({ kind, spec: { replicas: 0 } }), given()).wants, [nginx], kind)
    }
  })

  it("an owner reference to a built-in object that does not control leaves the object its own", () => {
    const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: "main", uid: "u", controller: false }]
    assert.strictEqual(deployed({ metadata: { ownerReferences } }), "Rewrite")
  })

  const skips: ReadonlyArray<readonly [image: string, reason: string, settings?: Partial<Settings>]> = [
    ["", "empty"],
    ["auto", "placeholder"],
    ["nginx/Upper", "unparsable"],
    ["localhost/app", "localhost"],
    ["registry.localhost:5000/app", "localhost"],
    ["docker.io/library/nginx:1.27", "image-ignored", { IMAGES_TO_IGNORE: ["docker.io/*/nginx:*"] }],
    ["backup.example/copies/hash_sha256/abc:1", "under-prefix-unknown"],
    ["other.example/copies/docker.io/library/nginx:1", "foreign-copy"]
  ]
  for (const [image, reason, settings] of skips) {
    it(`image ${JSON.stringify(image)}: ${reason}`, () => {
      const planned = plan(workload({ images: { app: image } }), given(settings))
      assert.strictEqual(planned.images[0]?.skip, reason)
      assert.deepStrictEqual(planned.wants, [])
      assert.deepStrictEqual(planned.verdict, { _tag: "Done" })
    })
  }

  it("one star of IMAGES_TO_IGNORE stops at a slash, two do not", () => {
    const of = (glob: string) =>
      plan(workload({ images: { app: "ghcr.io/a/b/c:1" } }), given({ IMAGES_TO_IGNORE: [glob] })).images[0]?.skip
    assert.strictEqual(of("ghcr.io/*:1"), undefined)
    assert.strictEqual(of("ghcr.io/**"), "image-ignored")
  })

  it("localhost is an ordinary registry when the settings name it", () => {
    const image = { images: { app: "localhost:5000/app:1" } }
    assert.strictEqual(
      plan(workload(image), given({ PLAIN_HTTP_REGISTRIES: ["localhost:5000"] })).images[0]?.skip,
      undefined
    )
  })

  it("imagePullPolicy Never", () => {
    const spec = { podSpec: { containers: [{ name: "app", image: "nginx:1.27", imagePullPolicy: "Never" }] } }
    assert.strictEqual(plan(workload(spec), given()).images[0]?.skip, "pull-policy-never")
  })

  it("an image that cannot be copied for good is skipped, and the other images are rewritten all the same", () => {
    for (const reason of ["private", "internal", "too-large", "unsupported"] as const) {
      const it = workload({ images: { app: "nginx:1.27", side: "quay.io/a/secret:1" } })
      const state = states({ [nginx]: backedUp(), "quay.io/a/secret:1": failed(reason) })
      const planned = plan(it, given({}, { pods: [pod({ owner: it, digest: a })], state }))
      assert.strictEqual(planned.verdict._tag, "Rewrite")
      assert.deepStrictEqual(planned.images.map((image) => image.skip), [undefined, reason])
    }
  })
})

describe("held", () => {
  it("pending: one image that is not there yet holds all", () => {
    assert.strictEqual(deployed({ images: { app: "nginx:1.27", side: "redis" } }), "pending")
  })

  it("pending: a copy that was seen too long ago is looked at again first", () => {
    const it = workload()
    const planned = plan(
      it,
      given({}, { pods: settled(it), state: states({ [nginx]: backedUp(a, { verifiedAt: now - 600_001 }) }) })
    )
    assert.deepStrictEqual([verdict(it, given({}, { pods: settled(it) })), planned.stale], ["Rewrite", [nginx]])
    assert.strictEqual("reason" in planned.verdict && planned.verdict.reason, "pending")
  })

  it("failed: an image that could not be copied", () => {
    assert.strictEqual(deployed({}, {}, { state: states({ [nginx]: failed("not-found") }) }), "failed")
    const it = workload()
    const planned = plan(it, given({}, { pods: settled(it), state: states({ [nginx]: failed("not-found") }) }))
    assert.include("detail" in planned.verdict ? planned.verdict.detail : "", "IMAGES_TO_IGNORE")
  })

  for (
    const [mark, metadata] of Object.entries({
      "Argo CD's annotation": { annotations: { "argocd.argoproj.io/tracking-id": "a" } },
      "Argo CD's label": { labels: { "argocd.argoproj.io/instance": "a" } },
      "Flux's Kustomization": { labels: { "kustomize.toolkit.fluxcd.io/name": "a" } },
      "Flux's HelmRelease": { labels: { "helm.toolkit.fluxcd.io/name": "a" } },
      "Helm's annotation": { annotations: { "meta.helm.sh/release-name": "a" } },
      "Helm's label": { labels: { "app.kubernetes.io/managed-by": "Helm" } },
      "a manager that applied an image": {
        managedFields: [{ manager: "helm", operation: "Apply", fieldsV1: ownedImage }]
      },
      "a manager that set an image": {
        managedFields: [{ manager: "HashiCorp", operation: "Update", fieldsV1: ownedImage }]
      },
      "an operator": { ownerReferences: [{ apiVersion: "velero.io/v1", kind: "Backup", name: "main", uid: "u" }] }
    })
  ) {
    it(`managed-by: ${mark}, unless the workload or its namespace asks for patches`, () => {
      assert.strictEqual(deployed({ metadata }), "managed-by")
      const asks = { ...metadata, annotations: { ...metadata.annotations, "image-cloner.io/rewrite": "patch" } }
      assert.strictEqual(deployed({ metadata: asks }), "Rewrite")
      const namespace = { name: "shop", uid: "shop", marks: { ignore: undefined, rewrite: "patch" as const } }
      assert.strictEqual(deployed({ metadata }, {}, { namespace }), "Rewrite")
    })
  }

  it("managed-by: an operator that does not control is named with its resource", () => {
    const ownerReferences = [
      { apiVersion: "velero.io/v1", kind: "Backup", name: "nightly", uid: "u", controller: false }
    ]
    const it = workload({ metadata: { ownerReferences } })
    assert.deepStrictEqual(plan(it, given({}, { pods: settled(it) })).verdict, {
      _tag: "Held",
      reason: "managed-by",
      detail: "Backup nightly (owner reference to velero.io/v1)"
    })
  })

  it("critical, serves-backup and mode-off", () => {
    assert.strictEqual(deployed({ podSpec: { priorityClassName: "system-cluster-critical" } }), "critical")
    assert.strictEqual(deployed({}, { BACKUP_NAMESPACES: ["shop"] }), "serves-backup")
    assert.strictEqual(deployed({}, { BACKUP_REGISTRY: "registry.shop.svc:5000/copies" }), "serves-backup")
    assert.strictEqual(deployed({}, { REWRITE_MODE: "off" }), "mode-off")
    for (const mark of ["never", "admission"]) {
      assert.strictEqual(deployed({ metadata: { labels: { "image-cloner.io/rewrite": mark } } }), "mode-off")
    }
    const patch = { metadata: { annotations: { "image-cloner.io/rewrite": "patch" } } }
    assert.strictEqual(deployed(patch, { REWRITE_MODE: "off" }), "mode-off")
  })

  it("serves-backup: the namespace whose Service the backup is, which is said; its images are copied all the same", () => {
    const it = workload()
    const planned = plan(it, given({ BACKUP_REGISTRY: "registry.shop.svc:5000/copies" }, { pods: settled(it) }))
    assert.deepStrictEqual(planned.verdict, {
      _tag: "Held",
      reason: "serves-backup",
      detail: "shop serves BACKUP_REGISTRY (registry.shop.svc:5000)"
    })
    assert.deepStrictEqual(planned.wants, [nginx])
    assert.strictEqual(deployed({}, { BACKUP_REGISTRY: "registry.stage.svc:5000/copies" }), "Rewrite")
  })

  it("dry-run: only what would be rewritten now", () => {
    assert.strictEqual(deployed({}, { DRY_RUN: true }, { assumeCopied: true, state: () => undefined }), "dry-run")
    assert.strictEqual(
      deployed({ metadata: { annotations: { "image-cloner.io/rewrite": "never" } } }, {
        DRY_RUN: true
      }),
      "mode-off"
    )
  })

  it("unseen: what cannot be seen is not touched, nor put back", () => {
    assert.strictEqual(deployed({}, {}, { unseen: ["pods cannot be seen"] }), "unseen")
    const it = workload()
    assert.isFalse(plan(it, given({}, { pods: settled(it), unseen: ["pods cannot be seen"] })).touchable)
  })

  it("following: another replica leads, and this one touches nothing", () => {
    assert.strictEqual(deployed({}, {}, { leads: false }), "following")
    const it = workload()
    assert.isFalse(plan(it, given({}, { pods: settled(it), leads: false })).touchable)
  })

  it("paused: a Deployment that is paused itself", () => {
    assert.strictEqual(deployed({ spec: { paused: true } }), "paused")
  })
})

describe("a budget that allows no disruption", () => {
  const budgets =
    () => [{ key: "shop/web", namespace: "shop", selector: { labels: {}, expressions: [] }, exhausted: true }]
  const recreate = { spec: { strategy: { type: "Recreate" } } }

  it("holds a rollout that takes pods away, unless somebody asked for it", () => {
    const web = workload(recreate)
    const about = given({}, { pods: settled(web, a), budgets })
    const { verdict: of } = plan(web, about)
    assert.strictEqual(of._tag === "Held" && of.reason, "no-disruption")
    assert.include(of._tag === "Held" ? of.detail : "", "image-cloner.io/rewrite: patch")
    assert.strictEqual(verdict(web, { ...about, budgets: () => [] }), "Rewrite")
    const asked = workload({ ...recreate, metadata: { annotations: { "image-cloner.io/rewrite": "patch" } } })
    assert.strictEqual(verdict(asked, given({}, { pods: settled(asked, a), budgets })), "Rewrite")
  })

  it("holds neither a surge, nor a cure, nor what interrupts nobody", () => {
    const surge = workload()
    assert.strictEqual(verdict(surge, given({}, { pods: settled(surge, a), budgets })), "Rewrite")
    const web = workload(recreate)
    const waiting = { state: { waiting: { reason: "ImagePullBackOff" } }, ready: false, owner: web }
    const pods = [...settled(web, a), pod({ ...waiting, name: "other" })]
    assert.strictEqual(verdict(web, given({}, { pods, budgets })), "Rewrite")
    assert.strictEqual(verdict(workload({ kind: "CronJob" }), given({}, { budgets })), "Rewrite")
  })
})

describe("what somebody rolled back", () => {
  const web = workload()
  const about = (more: Partial<Facts> = {}) =>
    given({}, {
      pods: settled(web, a),
      rolledBack: { until: undefined, wayBack: "; the release before is revision 2" },
      ...more
    })

  it("is left alone, and its way back is named", () => {
    const { verdict: of } = plan(web, about())
    assert.strictEqual(of._tag === "Held" && of.reason, "rollback")
    assert.include(of._tag === "Held" ? of.detail : "", "revision 2")
    assert.strictEqual(verdict(web, about({ rolledBack: undefined })), "Rewrite")
  })

  it("comes after quarantine and before a fight", () => {
    const mark = { detail: "x", count: 1, images: { app: ["nginx:1.27", copy] as const } }
    const reasons = (["quarantined", "contested"] as const).map((reason) => {
      return verdict(web, about({ remembered: { ...mark, reason } }))
    })
    assert.deepStrictEqual(reasons, ["quarantined", "rollback"])
  })

  it("is cured all the same: nothing else helps pods whose source is gone", () => {
    const waiting = { state: { waiting: { reason: "ImagePullBackOff" } }, ready: false, owner: web }
    const pods = [...settled(web, a), pod({ ...waiting, name: "other" })]
    assert.deepStrictEqual(plan(web, about({ pods })).verdict, { _tag: "Rewrite", as: "cure" })
  })
})

describe("what admission points to the copies instead", () => {
  const on = { MUTATING_WEBHOOK: "on" } as const
  const marked = (mark: string) => ({ metadata: { annotations: { "image-cloner.io/rewrite": mark } } })
  const helm = { labels: { "app.kubernetes.io/managed-by": "Helm" } }
  const detailOf = (of: ReturnType<typeof workload>, settings: Partial<Settings>) => {
    const { verdict: it } = plan(of, given(settings, { pods: settled(of) }))
    return "detail" in it ? it.detail : ""
  }

  it("by-admission: every template, where REWRITE_MODE is admission, whatever is written on it", () => {
    const settings = { ...on, REWRITE_MODE: "admission" } as const
    for (const how of [{}, marked("patch"), marked("admission"), { metadata: helm }]) {
      assert.strictEqual(deployed(how, settings), "by-admission")
    }
    assert.strictEqual(detailOf(workload(), settings), "REWRITE_MODE is admission")
    assert.deepStrictEqual(plan(workload(), given(settings)).wants, [nginx], "it is copied all the same")
    assert.isFalse(plan(workload(), given(settings)).patchable)
  })

  it("but for what gets no copies at admission either", () => {
    const settings = { ...on, REWRITE_MODE: "admission" } as const
    assert.strictEqual(deployed(marked("never"), settings), "mode-off")
    assert.strictEqual(deployed({}, { ...settings, BACKUP_NAMESPACES: ["shop"] }), "serves-backup")
    assert.strictEqual(deployed({ podSpec: { priorityClassName: "system-node-critical" } }, settings), "critical")
    assert.strictEqual(deployed({}, { ...on, REWRITE_MODE: "off" }), "mode-off")
  })

  it("by-admission: what is marked so, on itself or its namespace; without the webhook that is mode-off", () => {
    assert.strictEqual(deployed(marked("admission"), on), "by-admission")
    assert.strictEqual(deployed(marked("admission")), "mode-off")
    assert.strictEqual(
      detailOf(workload(marked("admission")), {}),
      "image-cloner.io/rewrite is admission, and MUTATING_WEBHOOK is off"
    )
    const namespace = { name: "shop", uid: "shop", marks: { ignore: undefined, rewrite: "admission" as const } }
    assert.strictEqual(deployed({}, on, { namespace }), "by-admission")
    assert.strictEqual(deployed(marked("patch"), on, { namespace }), "Rewrite")
  })

  it("by-admission: a template that a tool owns, which without the webhook is managed-by; the tool is named in both", () => {
    assert.strictEqual(deployed({ metadata: helm }, on), "by-admission")
    assert.strictEqual(deployed({ metadata: helm }), "managed-by")
    const trace = "Helm (label app.kubernetes.io/managed-by)"
    assert.deepStrictEqual([on, {}].map((it) => detailOf(workload({ metadata: helm }), it)), [trace, trace])
    const asks = { metadata: { ...helm, annotations: { "image-cloner.io/rewrite": "patch" } } }
    assert.strictEqual(deployed(asks, on), "Rewrite")
  })
})

describe("a workload that admission has brought the copies", () => {
  const web = workload()
  const copied = (name: string) => pod({ owner: web, name, images: { app: copy }, digest: a })
  const told = (pods: ReadonlyArray<Pod>, settings: Partial<Settings> = { MUTATING_WEBHOOK: "on" }) =>
    verdict(web, given(settings, { pods }))

  it("is done and not rolled, where all of its pods run them", () => {
    assert.strictEqual(told([copied("web-1")]), "Done")
    assert.strictEqual(told([copied("web-1"), copied("web-2")]), "Done")
    // nor is there anything left to do where templates are never touched
    assert.strictEqual(told([copied("web-1")], { MUTATING_WEBHOOK: "on", REWRITE_MODE: "admission" }), "Done")
  })

  it("is rolled where one of its pods does not, where it lacks pods, and without the webhook", () => {
    const original = pod({ owner: web, name: "web-2", digest: a })
    assert.strictEqual(told([copied("web-1"), original]), "Rewrite")
    const other = pod({ owner: web, images: { app: `${copy}-other` }, digest: a })
    assert.strictEqual(told([other]), "Rewrite")
    assert.strictEqual(told([copied("web-1")], {}), "Rewrite")
    const two = workload({ spec: { replicas: 2 } })
    assert.notStrictEqual(verdict(two, given({ MUTATING_WEBHOOK: "on" }, { pods: [copied("web-1")] })), "Done")
    assert.notStrictEqual(told([]), "Done")
  })

  it("is not done while what holds it is there: that is said", () => {
    const remembered = { reason: "contested", detail: "x", count: 2, images: { app: ["nginx:1.27", copy] } } as const
    const about = given({ MUTATING_WEBHOOK: "on" }, { pods: [copied("web-1")], remembered })
    assert.strictEqual(verdict(web, about), "contested")
  })

  it("counts its images that are skipped as nothing", () => {
    const two = workload({ images: { app: "nginx:1.27", side: "localhost/side" } })
    const ran = pod({ owner: two, images: { app: copy, side: "localhost/side" }, digest: a })
    assert.strictEqual(verdict(two, given({ MUTATING_WEBHOOK: "on" }, { pods: [ran] })), "Done")
  })
})
