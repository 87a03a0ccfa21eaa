// PlanReport: plans as people and scripts read them: a row an image, the images to be copied, and how many of each.
import { Duration, Option } from "effect"
import { gatherFacts } from "../controller/GatherFacts.ts"
import { unshowable } from "../controller/ProofOutlook.ts"
import type { ImageState } from "../image/ImageState.ts"
import type { Budget } from "../registry/RateLimitHeaders.ts"
import { backup, type Settings } from "../settings/Settings.ts"
import type { Workloads } from "../store/WorkloadStore.ts"
import { isByAdmission, runsCopies } from "../workload/ByAdmission.ts"
import { type Plan, plan } from "../workload/Plan.ts"
import type { PlannedImage } from "../workload/PlanImages.ts"
import { type HoldReason, type SkipReason } from "../workload/Reason.ts"
import { shownBytes } from "../image/ShownBytes.ts"
import type { ManifestElsewhere } from "./manifests/ManifestReading.ts"
import { type NotHandled, notHandled, notHandledLine } from "./NotHandled.ts"
import { shownText } from "./ShownText.ts"
import { table } from "./Table.ts"
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
  if (image.skip !== undefined) return "leave"
  if (planned.admitted) return "done"
  if (planned.verdict._tag === "Rewrite" || ("reason" in planned.verdict && planned.verdict.reason === "dry-run")) {
    return "rewrite"
  }
  return planned.byAdmission && image.hold === undefined ? "admission" : "clone"
}

/** Why an image is not patched, or not at all. */
const whyOf = ({ admitted, verdict }: Planned, image: PlannedImage, action: Action) => {
  if (action === "clone" || action === "admission") return "reason" in verdict ? verdict : undefined
  return admitted && image.skip === undefined
    ? { reason: "by-admission" as const, detail: "its pods run the copies" }
    : undefined
}

const rowOf = (planned: Planned, image: PlannedImage): Row => {
  const { workload } = planned
  const action = actionOf(planned, image)
  const why = whyOf(planned, image, action)
  return {
    namespace: workload.namespace,
    workload: `${workload.kind}/${workload.name}`,
    container: image.slot.container,
    image: image.slot.image,
    action,
    reason: why?.reason ?? image.skip ?? null,
    detail: why?.detail ?? image.detail,
    to: image.to ?? null
  }
}

/** An object that is left alone as a whole has no planned images: one row says it for all of its images. */
const rowsOf = (planned: Planned): ReadonlyArray<Row> => {
  const { verdict, workload } = planned
  if (planned.images.length > 0) return planned.images.map((image) => rowOf(planned, image))
  if (!("reason" in verdict)) return []
  return workload.images.map((slot): Row => ({
    namespace: workload.namespace,
    workload: `${workload.kind}/${workload.name}`,
    container: slot.container,
    image: slot.image,
    action: "leave",
    reason: verdict.reason,
    detail: verdict.detail,
    to: null
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

/** Plans everything in the store. Objects that another one in it controls are left to that one's rows. */
export const report = (store: Workloads, given: Given): Report => {
  const facts = { ...given, backup: backup(given.settings), assumeCopied: true }
  const state = (source: string) => given.looked.get(source)?.state
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
  const users = new Map<string, number>()
  for (const { images } of plans) {
    for (const source of new Set(images.flatMap((it) => it.skip === "already-backup" ? [] : it.wants))) {
      users.set(source, (users.get(source) ?? 0) + 1)
    }
  }
  const rows = plans.filter((it) => store.ownersOf(it.workload).length === 0).flatMap(rowsOf)
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

/** What a budget means for the copies to come, in one sentence. */
const budgetLine = ({ limit, pulls, registry, remaining, reserved, windowSeconds }: ReportedBudget): string => {
  const window = Duration.format(Duration.seconds(windowSeconds))
  const ours = Math.max(0, remaining - reserved)
  const each = Math.max(1, limit - reserved)
  const enough = pulls <= ours
    ? "enough for all"
    : `not enough: about ${Math.ceil((pulls - ours) / each)} more windows of ${window}, or a login with a larger budget`
  return `${registry}: ${pulls} pulls to come (one a manifest); of ${limit} in ${window} ${remaining} are left, `
    + `${reserved} of them for the cluster (RATE_LIMIT_RESERVE): ${enough}`
}

const sizeOf = (image: ReportedImage): string =>
  image.problem !== null && image.problem !== undefined
    ? image.problem
    : image.bytes === null || image.bytes === undefined
    ? "reachable"
    : `${shownBytes(image.bytes)} in ${image.manifests ?? 0} manifests`

/** The last column: both where the template does not come to name the copy, since whoever owns it may want to. */
const whyOrWhereTo = ({ action, detail, reason, to }: Row): string => {
  if (reason === null) return to ?? ""
  const why = `${reason}: ${detail}`
  return to !== null && (action === "admission" || action === "clone") ? `${to} (${why})` : why
}

/** The report as text for people. */
export const asText = (of: Report): string => {
  const rows = table(
    ["NAMESPACE", "WORKLOAD", "CONTAINER", "IMAGE", "ACTION", "WHY OR WHERE TO"],
    of.rows.map((it) => [
      it.namespace,
      it.workload,
      it.container,
      it.image === "" ? "-" : it.image,
      it.action,
      whyOrWhereTo(it)
    ])
  )
  const checked = of.images.some((it) => it.problem !== undefined)
  const images = checked
    ? `\n\n${
      table(["IMAGE TO CLONE", "USERS", "SIZE"], of.images.map((it) => [it.source, String(it.users), sizeOf(it)]))
    }`
    : ""
  const total = of.images.reduce((sum, it) => sum + (it.bytes ?? 0), 0)
  const { admission, clone, done, leave, rewrite } = of.summary
  const elsewhere = of.notHandled.length === 0
    ? ""
    : `\n\n${of.notHandled.map(notHandledLine).map(shownText).join("\n")}`
  const budgets = of.budgets.map((it) => `\n\n${budgetLine(it)}`).join("")
  const drifts = of.drifts.length === 0
    ? ""
    : `\n\n${
      table(["TAG THAT HAS MOVED", "AT ITS SOURCE", "ITS COPY"], of.drifts.map((it) => [it.source, it.names, it.copy]))
    }`
  return `${rows}${images}${budgets}${drifts}${elsewhere}\n\n${of.images.length} ${
    of.images.length === 1 ? "image" : "images"
  } to clone${checked ? ` (${shownBytes(total)}, shared layers counted each time)` : ""}; `
    + `containers: ${rewrite} to rewrite, ${admission} by admission, ${clone} to clone only, ${done} done, ${leave} left alone`
    + (of.notHandled.length === 0 ? "" : `; ${of.notHandled.length} in other objects, not handled`)
}
