// PlanReport: plans as people and scripts read them: a row an image, the images to be copied, and how many of each.
import { Duration, Option } from "effect"
import { gatherFacts } from "../controller/GatherFacts.ts"
import { unshowable } from "../controller/ProofOutlook.ts"
import type { ImageState } from "../image/ImageState.ts"
import type { Budget } from "../registry/RateLimitHeaders.ts"
import { backup, type Settings } from "../settings/Settings.ts"
import type { Workloads } from "../store/WorkloadStore.ts"
import { isByAdmission, runsCopies } from "../workload/ByAdmission.ts"
import { kindName, kindOfObject } from "../workload/Kinds.ts"
import { type Plan, plan } from "../workload/Plan.ts"
import type { PlannedImage } from "../workload/PlanImages.ts"
import { type HoldReason, type SkipReason } from "../workload/Reason.ts"
import type { ManifestElsewhere } from "./manifests/ManifestReading.ts"
import { type NotHandled, notHandled } from "./NotHandled.ts"
import { refusedState } from "./RefusedHosts.ts"
import type { TagDrift } from "./TagDrifts.ts"

export type Action = "rewrite" | "admission" | "clone" | "done" | "leave"

export interface Row {
  readonly namespace: string
  readonly workload: string
  readonly container: string
  readonly image: string
  /**
   * rewrite: cloned, and the template is patched to name the copy. admission: cloned, and pods are pointed to the copy as they
   * are made; the template stays. clone: cloned only. done: it is the copy, or all of its pods run it. leave: neither.
   */
  readonly action: Action
  readonly reason: SkipReason | HoldReason | null
  readonly detail: string
  readonly to: string | null
  /** What the look at its own image told; null without `--check`, and where it was not looked at. */
  readonly check: (Looked & { readonly reason: string | null }) | null
}

/** What a look at a registry told of a source; absent without `--check`. */
export interface Looked {
  readonly digest: string | null
  readonly bytes: number | null
  readonly manifests: number | null
  readonly problem: string | null
}

export interface ReportedImage extends Partial<Looked> {
  readonly source: string
  readonly users: number
}

/** What copying will read of a registry that counts, and what may be read of it. */
export interface ReportedBudget {
  readonly registry: string
  /** Manifests to be read: registries such as Docker Hub count each as a pull, and an index has one a platform. */
  readonly pulls: number
  readonly limit: number
  readonly remaining: number
  readonly windowSeconds: number
  /** Of `limit`, what RATE_LIMIT_RESERVE leaves to the cluster's own pulls. */
  readonly reserved: number
}

export interface Report {
  readonly rows: ReadonlyArray<Row>
  readonly images: ReadonlyArray<ReportedImage>
  /** Registries that have announced a budget; empty without `--check`. */
  readonly budgets: ReadonlyArray<ReportedBudget>
  /** Tags of copies in use that are not what their sources' name; empty without `--check`. */
  readonly drifts: ReadonlyArray<TagDrift>
  /** Of manifests: images of objects that are no workloads. */
  readonly notHandled: ReadonlyArray<NotHandled>
  /** Rows by action. */
  readonly summary: Readonly<Record<Action, number>>
}

/** A plan, and what of it its pods get by admission. */
interface Planned extends Plan {
  /** Pods that are made from now on are pointed to the copies. */
  readonly byAdmission: boolean
  /** All that run were. */
  readonly admitted: boolean
}

const actionOf = (planned: Planned, image: PlannedImage): Action => {
  if (image.skip === "already-backup") return "done"
  // what cannot be read is not copied, whatever becomes of the others of its workload
  if (image.skip !== undefined || image.hold === "failed") return "leave"
  if (planned.admitted) return "done"
  if (planned.verdict._tag === "Rewrite" || ("reason" in planned.verdict && planned.verdict.reason === "dry-run")) {
    return "rewrite"
  }
  return planned.byAdmission && image.hold === undefined ? "admission" : "clone"
}

/** Why an image is not patched, or not at all: for its own sake before the others'. */
const whyOf = ({ admitted, images, verdict }: Planned, image: PlannedImage, action: Action) => {
  if (image.skip === undefined && image.hold !== undefined) return { reason: image.hold, detail: image.detail }
  if (action === "clone" || action === "admission") {
    if (!("reason" in verdict)) return undefined
    const other = images.find((it) => it.hold === verdict.reason)
    return other === undefined
      ? verdict
      : { reason: verdict.reason, detail: `it waits for ${other.slot.container}: ${other.detail}` }
  }
  return admitted && image.skip === undefined
    ? { reason: "by-admission" as const, detail: "its pods run the copies" }
    : undefined
}

const checkOf = (image: PlannedImage, { looked }: Given): Row["check"] => {
  const [source] = image.source === undefined ? image.wants : [image.source]
  const look = looked.get(source ?? "")
  if (look === undefined) return null
  const { bytes, digest, manifests, problem, state } = look
  return { digest, bytes, manifests, problem, reason: state._tag === "Failed" ? state.reason : null }
}

const rowOf = (planned: Planned, image: PlannedImage, given: Given): Row => {
  const { workload } = planned
  const action = actionOf(planned, image)
  const why = whyOf(planned, image, action)
  return {
    namespace: workload.namespace,
    workload: `${kindName(kindOfObject(workload))}/${workload.name}`,
    container: image.slot.container,
    image: image.slot.image,
    action,
    reason: why?.reason ?? image.skip ?? null,
    detail: why?.detail ?? image.detail,
    to: image.to ?? null,
    check: checkOf(image, given)
  }
}

/** An object that is left alone as a whole has no planned images: one row says it for all of its images. */
const rowsOf = (planned: Planned, given: Given): ReadonlyArray<Row> => {
  const { verdict, workload } = planned
  if (planned.images.length > 0) return planned.images.map((image) => rowOf(planned, image, given))
  if (!("reason" in verdict)) return []
  return workload.images.map((slot): Row => ({
    namespace: workload.namespace,
    workload: `${kindName(kindOfObject(workload))}/${workload.name}`,
    container: slot.container,
    image: slot.image,
    action: "leave",
    reason: verdict.reason,
    detail: verdict.detail,
    to: null,
    check: null
  }))
}

export interface Given {
  readonly settings: Settings
  readonly ownNamespace: Option.Option<string>
  /** Milliseconds since the epoch. */
  readonly now: number
  /** What looks at registries told; without them everything is taken as copyable. */
  readonly looked: ReadonlyMap<string, Looked & { readonly state: ImageState }>
  /** Of manifests: images of objects that are no workloads. */
  readonly elsewhere?: ReadonlyArray<ManifestElsewhere>
  /** By registry, what it announced when it was asked. */
  readonly budgets?: ReadonlyMap<string, Budget>
  /** What comparing the tags of copies with their sources told. */
  readonly drifts?: ReadonlyArray<TagDrift>
}

/** Pulls to come by registry, for those that announced a budget. */
const budgetsOf = (images: ReadonlyArray<ReportedImage>, given: Given): ReadonlyArray<ReportedBudget> => {
  const pulls = new Map<string, number>()
  for (const { manifests, source } of images) {
    const registry = source.slice(0, source.indexOf("/"))
    pulls.set(registry, (pulls.get(registry) ?? 0) + (manifests ?? 0))
  }
  return [...given.budgets ?? []].flatMap(([registry, { limit, remaining, window }]) => {
    const count = pulls.get(registry) ?? 0
    return count === 0 ? [] : [{
      registry,
      pulls: count,
      limit,
      remaining,
      windowSeconds: Duration.toSeconds(window),
      reserved: Math.ceil(limit * given.settings.RATE_LIMIT_RESERVE / 100)
    }]
  })
}

/** What somebody has to do something about comes first. */
const order = (row: Row): string => `${row.reason === "pull-unproven" ? 0 : 1}/${row.namespace}/${row.workload}`

/** Whether all the images of a workload are copies, or its pods run theirs. */
const isDone = ({ admitted, images, verdict }: Planned): boolean =>
  admitted || (verdict._tag === "Done" && images.some((it) => it.skip === "already-backup"))

/** Plans everything in the store. Objects that another one in it controls are left to that one's rows. */
export const report = (store: Workloads, given: Given): Report => {
  const facts = { ...given, backup: backup(given.settings), assumeCopied: true }
  const state = (source: string) => given.looked.get(source)?.state ?? refusedState(source, given.settings, given.now)
  const planned = store.all.map((it): Planned => {
    const about = gatherFacts(store, it, { ...facts, uptime: facts.now, state })
    const of = plan(it, about)
    const byAdmission = isByAdmission(it, of.verdict, about)
    const admitted = (byAdmission || of.verdict._tag === "Done") && runsCopies(it, of.images, about)
    return { ...of, byAdmission, admitted }
  })
  const unproven = given.settings.BACKUP_PULL_BY === "nodes"
    ? new Map<string, string>()
    : unshowable(store, planned, facts.backup)
  const plans = planned.map((it): Planned => {
    const detail = unproven.get(it.workload.key)
    return detail === undefined ? it : { ...it, verdict: { _tag: "Held", reason: "pull-unproven", detail } }
  })
  const isRefused = (source: string) => refusedState(source, given.settings, given.now) !== undefined
  const users = new Map<string, number>()
  const byKey = new Map(plans.map((it) => [it.workload.key, it]))
  for (const it of plans) {
    // what is done has been copied, and with it what its older revisions name
    const { images } = it
    if (isDone(byKey.get(store.ownersOf(it.workload).at(-1)?.key ?? "") ?? it)) continue
    for (const source of new Set(images.flatMap((it) => it.skip === "already-backup" ? [] : it.wants))) {
      if (isRefused(source)) continue
      users.set(source, (users.get(source) ?? 0) + 1)
    }
  }
  const rows = plans.filter((it) => store.ownersOf(it.workload).length === 0).flatMap((it) => rowsOf(it, given))
    .toSorted((a, b) => order(a).localeCompare(order(b)))
  const summary = { rewrite: 0, admission: 0, clone: 0, done: 0, leave: 0 }
  for (const { action } of rows) summary[action]++
  const images = [...users].toSorted(([a], [b]) => a.localeCompare(b)).map(([source, count]) => {
    const look = given.looked.get(source)
    return {
      source,
      users: count,
      ...(look === undefined
        ? {}
        : { digest: look.digest, bytes: look.bytes, manifests: look.manifests, problem: look.problem })
    }
  })
  return {
    rows,
    summary,
    images,
    budgets: budgetsOf(images, given),
    drifts: given.drifts ?? [],
    notHandled: notHandled(given.elsewhere ?? [], given.settings)
  }
}
