import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { backupOf } from "../../src/image/BackupName.ts"
import { format, parse } from "../../src/image/ImageReference.ts"
import type { ImageState } from "../../src/image/ImageState.ts"
import { type Settings, settingsOf } from "../../src/settings/Settings.ts"
import type { Facts } from "../../src/workload/Facts.ts"
import { plan } from "../../src/workload/Plan.ts"
import type { Workload } from "../../src/workload/Workload.ts"
import { digestOf, facts, type Given, ownedImage, pod, unstarted, workload } from "../support/Objects.ts"

const a = digestOf("a")
const b = digestOf("b")
const nginx = "docker.io/library/nginx:1.27"
const copy = "backup.example/copies/docker.io/library/nginx:1.27"
const now = 1_000_000_000

const backedUp = (digest = a, given: Partial<Extract<ImageState, { _tag: "BackedUp" }>> = {}): ImageState => ({
  _tag: "BackedUp",
  digest,
  contents: new Set([digest]),
  verifiedAt: now,
  ...given
})

const failed = (reason: Extract<ImageState, { _tag: "Failed" }>["reason"]): ImageState => ({
  _tag: "Failed",
  reason,
  message: "said the registry",
  retryAt: now
})

const states = (entries: Record<string, ImageState>) => (source: string) => entries[source]

const given = (settings: Partial<Settings> = {}, more: Partial<Facts> = {}) =>
  facts(settingsOf("backup.example/copies", settings), { state: states({ [nginx]: backedUp() }), now, ...more })

const settled = (owner: Workload, digest: string | undefined = a) => [pod({ owner, digest })]

/** The verdict in one word: its reason, or its tag. */
const verdict = (of: Workload, about: Facts) => {
  const { verdict: it } = plan(of, about)
  return "reason" in it ? it.reason : it._tag
}

/** The verdict of a settled Deployment of nginx:1.27 that differs in one respect. */
const deployed = (how: Given, settings: Partial<Settings> = {}, more: Partial<Facts> = {}) => {
  const it = workload(how)
  return verdict(it, given(settings, { pods: settled(it), ...more }))
}

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
    assert.strictEqual(deployed({}, { REWRITE_MODE: "off" }), "mode-off")
    for (const mark of ["never", "admission"]) {
      assert.strictEqual(deployed({ metadata: { labels: { "image-cloner.io/rewrite": mark } } }), "mode-off")
    }
    const patch = { metadata: { annotations: { "image-cloner.io/rewrite": "patch" } } }
    assert.strictEqual(deployed(patch, { REWRITE_MODE: "off" }), "mode-off")
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
    assert.isFalse(plan(it, given({}, { pods: settled(it), unseen: ["pods cannot be seen"] })).seen)
  })

  it("paused: a Deployment that is paused itself", () => {
    assert.strictEqual(deployed({ spec: { paused: true } }), "paused")
  })
})

describe("the bytes that run", () => {
  const of = (pods: ReadonlyArray<ReturnType<typeof pod>>, state: Record<string, ImageState>) => {
    const it = workload({ status: { replicas: pods.length, updatedReplicas: pods.length } })
    return plan({ ...it, rollout: { ...it.rollout!, desired: pods.length } }, given({}, { pods, state: states(state) }))
  }
  const pinned = `${nginx}@${b}`

  it("are the copy's digest, or one of its platforms' manifests or configs: rewritten to the tag", () => {
    const state = { [nginx]: backedUp(a, { contents: new Set([a, b]) }) }
    assert.strictEqual(of([pod({ digest: b })], state).images[0]?.to, copy)
  })

  it("count by digest, never by repository", () => {
    const state = { [nginx]: backedUp() }
    for (const imageID of [`docker-pullable://x/y@${a}`, `docker://${a}`, a, `mirror.example/n@${a}`]) {
      assert.strictEqual(of([pod({ imageID })], state).images[0]?.to, copy, imageID)
    }
  })

  it("that the tag no longer names, are wanted by digest", () => {
    const planned = of([pod({ digest: b })], { [nginx]: backedUp() })
    assert.deepStrictEqual(planned.wants, [nginx, pinned])
    assert.strictEqual("reason" in planned.verdict && planned.verdict.reason, "pending")
  })

  it("are what the workload is pinned to once they are backed up", () => {
    const planned = of([pod({ digest: b })], { [nginx]: backedUp(), [pinned]: backedUp(b) })
    assert.strictEqual(planned.verdict._tag, "Rewrite")
    assert.strictEqual(planned.images[0]?.to, `${copy}@${b}`)
  })

  it("stay wanted while their tag is looked at anew or fails", () => {
    const pods = [pod({ digest: b })]
    const wantsWith = (state: ImageState) => of(pods, { [nginx]: state, [pinned]: backedUp(b) }).wants
    assert.deepStrictEqual(wantsWith({ _tag: "Pending" }), [nginx, pinned])
    assert.deepStrictEqual(wantsWith(failed("failed")), [nginx, pinned])
    assert.deepStrictEqual(of(pods, { [nginx]: { _tag: "Pending" } }).wants, [nginx])
  })

  it("that are gone from the source hold the workload", () => {
    const planned = of([pod({ digest: b })], { [nginx]: backedUp(), [pinned]: failed("not-found") })
    assert.strictEqual("reason" in planned.verdict && planned.verdict.reason, "tag-moved")
  })

  it("that differ between pods hold the workload", () => {
    const planned = of([pod({ digest: a, name: "w-1" }), pod({ digest: b, name: "w-2" })], { [nginx]: backedUp() })
    assert.strictEqual("reason" in planned.verdict && planned.verdict.reason, "tag-moved")
  })

  it("that a runtime does not tell hold the workload", () => {
    const planned = of([pod({ digest: undefined })], { [nginx]: backedUp() })
    assert.strictEqual("reason" in planned.verdict && planned.verdict.reason, "digest-unknown")
  })

  it("of finished and leaving pods do not count", () => {
    const pods = [
      pod({ digest: a }),
      pod({ digest: b, name: "w-2", phase: "Succeeded" }),
      pod({ digest: b, name: "w-3", metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } })
    ]
    const it = workload()
    assert.strictEqual(plan(it, given({}, { pods })).images[0]?.to, copy)
  })

  it("are what a digest names, whatever the tag beside it", () => {
    const image = `nginx:1.27@${b}`
    const it = workload({ images: { app: image } })
    const planned = plan(it, given({}, { pods: settled(it, b), state: states({ [pinned]: backedUp(b) }) }))
    assert.strictEqual(planned.images[0]?.to, `${copy}@${b}`)
  })
})

describe("images under the prefix", () => {
  const annotated = (image: string, original: string) =>
    plan(
      workload({
        images: { app: image },
        templateAnnotations: { "image-cloner.io/original-images": JSON.stringify({ app: original }) }
      }),
      given()
    )

  it("keep using their source: by a verified annotation, or by the inverse of a nested name", () => {
    assert.deepStrictEqual(annotated(copy, "nginx:1.27").wants, [nginx])
    assert.deepStrictEqual(annotated(`${copy}@${b}`, "nginx:1.27").wants, [`${nginx}@${b}`])
    const bare = plan(workload({ images: { app: copy } }), given())
    assert.deepStrictEqual([bare.wants, bare.images[0]?.skip, bare.verdict._tag], [[nginx], "already-backup", "Done"])
  })

  it("whose tag somebody has set to another are copies of that one, and the entry does not count", () => {
    for (const layout of ["nested", "flat"] as const) {
      const backup = { registry: "backup.example", prefix: "copies", layout }
      const bump = (present: string, entry: string) =>
        plan(
          workload({
            images: { app: present },
            templateAnnotations: { "image-cloner.io/original-images": JSON.stringify({ app: entry }) }
          }),
          given({}, { backup })
        )
      const to = (image: string) => format(backupOf(backup, Result.getOrThrow(parse(image))))
      const bumped = bump(to("nginx:1.28"), "nginx:1.27")
      assert.deepStrictEqual(bumped.wants, ["docker.io/library/nginx:1.28"])
      assert.deepStrictEqual([bumped.images[0]?.skip, bumped.images[0]?.stray], ["already-backup", "Bumped"])
      assert.deepStrictEqual(bump(to(`nginx:1.27@${b}`), `nginx:1.27@${a}`).wants, [
        `docker.io/library/nginx:1.27@${b}`
      ])
      assert.strictEqual(bump(to("nginx:1.27"), "nginx:1.27").images[0]?.stray, undefined)
    }
  })

  it("whose annotation claims another source are not followed there", () => {
    const planned = annotated(copy, "registry.internal/secret:1")
    assert.deepStrictEqual(planned.wants, [nginx])
    assert.strictEqual(planned.images[0]?.stray, "Forged")
    const hashed = annotated("backup.example/copies/hash_sha256/abc:1", "registry.internal/secret:1")
    assert.deepStrictEqual([hashed.wants, hashed.images[0]?.skip], [[], "under-prefix-unknown"])
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

describe("health", () => {
  it("a workload none of whose pods has a started container is rewritten at once", () => {
    const it = workload(unstarted)
    const waiting = { state: { waiting: { reason: "ContainerCreating" } }, ready: false, owner: it }
    for (const pods of [[], [pod(waiting)], [pod({ ...waiting, phase: "Pending" })]]) {
      assert.deepStrictEqual(plan(it, given({}, { pods })).verdict, { _tag: "Rewrite", as: "harmless" })
    }
  })

  it("a workload that its controller calls available has pods, even if none was seen yet", () => {
    assert.strictEqual(verdict(workload(), given({}, { pods: [] })), "rolling-out")
  })

  it("a container that has crashed has started: unhealthy", () => {
    const it = workload()
    const crashed = { state: { waiting: { reason: "CrashLoopBackOff" } }, ready: false, owner: it, digest: a }
    const before = pod(crashed)
    const after = { ...before, containers: before.containers.map((one) => ({ ...one, started: true })) }
    assert.strictEqual(verdict(it, given({}, { pods: [after] })), "unhealthy")
  })

  it("unready pods hold it, unless their node is not Ready", () => {
    const it = workload()
    const pods = [pod({ owner: it, digest: a, ready: false, node: "lost" })]
    assert.strictEqual(verdict(it, given({}, { pods })), "unhealthy")
    assert.strictEqual(verdict(it, given({}, { pods, nodeReady: (name) => name !== "lost" })), "Rewrite")
  })

  it("nothing is begun while it is short of pods; a DaemonSet may be short of less than it would miss itself", () => {
    const short = (kind: "Deployment" | "StatefulSet" | "DaemonSet", maxUnavailable: number | string = 1) =>
      deployed({
        kind,
        spec: { replicas: 10, updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable } } },
        status: {
          replicas: 10,
          updatedReplicas: 10,
          availableReplicas: 9,
          desiredNumberScheduled: 10,
          updatedNumberScheduled: 10,
          numberAvailable: 9
        }
      })
    assert.deepStrictEqual([short("Deployment"), short("StatefulSet")], ["unhealthy", "unhealthy"])
    assert.deepStrictEqual([short("DaemonSet"), short("DaemonSet", "20%")], ["unhealthy", "Rewrite"])
  })

  const rolling: ReadonlyArray<readonly [string, Given]> = [
    ["an unseen generation", { metadata: { generation: 2 } }],
    ["pods of the old revision", { status: { replicas: 2, updatedReplicas: 1 } }],
    ["too few updated pods", { spec: { replicas: 2 } }],
    ["a StatefulSet between revisions", { kind: "StatefulSet", status: { updateRevision: "r2" } }],
    ["a DaemonSet with old pods", { kind: "DaemonSet", status: { updatedNumberScheduled: 0 } }]
  ]
  for (const [what, how] of rolling) {
    it(`rolling-out: ${what}`, () => assert.strictEqual(deployed(how), "rolling-out"))
  }

  it("a StatefulSet with a partition has settled when the pods above it are updated", () => {
    const how: Given = {
      kind: "StatefulSet",
      spec: { replicas: 1, updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } } },
      status: { updatedReplicas: 0, updateRevision: "r2" }
    }
    assert.strictEqual(deployed(how), "Rewrite")
  })

  it("an OnDelete strategy interrupts nobody", () => {
    const it = workload({ kind: "DaemonSet", spec: { updateStrategy: { type: "OnDelete" } } })
    assert.deepStrictEqual(plan(it, given({}, { pods: settled(it) })).verdict, { _tag: "Rewrite", as: "harmless" })
  })
})
