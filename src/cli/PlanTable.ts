// PlanTable: a plan as people read it on a terminal: a table, below it the images to be copied, and a line of sums. Where a row
// has not enough room, why and where to stand on lines of their own below it.
import { Duration } from "effect"
import { shownBytes } from "../image/ShownBytes.ts"
import { columnsWithin, fitted, shortDigests, wrapped } from "./Fit.ts"
import { notHandledLine } from "./NotHandled.ts"
import type { Report, ReportedBudget, ReportedImage, Row } from "./PlanReport.ts"
import { shownText } from "./ShownText.ts"
import { table } from "./Table.ts"
import type { TagDrift } from "./TagDrifts.ts"

export interface Shown {
  /** Characters a line; undefined: no matter how many. */
  readonly width: number | undefined
  /** All on one line, and nothing shortened. */
  readonly wide: boolean
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

const whyOf = ({ detail, reason }: Row): string => reason === null ? "" : `${reason}: ${detail}`

/** The last column: the copy's name for each image that gets one, and why its template does not come to name it. */
const whyOrWhereTo = (row: Row): string => {
  const why = whyOf(row)
  const to = row.action === "leave" || row.reason === "already-backup" ? null : row.to
  return to === null ? why : why === "" ? to : `${to} (${why})`
}

/** What a look at its own image told. */
const checkOf = ({ check }: Row): string =>
  check === null ? "-" : check.problem === null ? shownBytes(check.bytes ?? 0) : check.reason ?? "failed"

const cellsOf = (row: Row, checked: boolean): ReadonlyArray<string> => [
  row.namespace,
  row.workload,
  row.container,
  row.image === "" ? "-" : row.image,
  row.action,
  ...(checked ? [checkOf(row)] : [])
]

const widthsOf = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<number> =>
  (rows[0] ?? []).map((_, column) => rows.reduce((most, row) => Math.max(most, row[column]?.length ?? 0), 0))

/** Between the columns of a row that has room, and of one that has not. */
const gap = { usual: 3, narrow: 2 }

const narrowTable = (
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<{ readonly cells: ReadonlyArray<string>; readonly below: ReadonlyArray<string> }>,
  width: number,
  rigid: ReadonlySet<number>
): string => {
  const room = width - gap.narrow * (head.length - 1)
  const widths = columnsWithin(widthsOf([head, ...rows.map((it) => it.cells)]), room, rigid)
  const line = (cells: ReadonlyArray<string>) =>
    cells.map((cell, column) => {
      const most = widths[column] ?? 0
      const text = fitted(cell, most)
      return column === cells.length - 1 ? text : text.padEnd(most)
    }).join(" ".repeat(gap.narrow)).trimEnd()
  return [line(head), ...rows.flatMap(({ below, cells }) => [line(cells), ...below.map((it) => `  ${it}`)])].join("\n")
}

const rowsOf = ({ rows }: Report, checked: boolean, { wide, width }: Shown): string => {
  if (rows.length === 0) return "no workloads"
  const shown = (text: string) => wide ? shownText(text) : shortDigests(shownText(text))
  const head = ["NAMESPACE", "WORKLOAD", "CONTAINER", "IMAGE", "ACTION", ...(checked ? ["CHECK"] : [])]
  const all = rows.map((it) => [...cellsOf(it, checked), whyOrWhereTo(it)].map(shown))
  const one = [[...head, "WHY OR WHERE TO"], ...all]
  const needed = widthsOf(one).reduce((sum, it) => sum + it + gap.usual, -gap.usual)
  if (wide || width === undefined || needed <= width) return table([...head, "WHY OR WHERE TO"], all)
  const within = rows.map((row) => {
    const to = row.action === "leave" || row.reason === "already-backup" ? null : row.to
    return {
      cells: cellsOf(row, checked).map(shown),
      below: [
        ...(to === null ? [] : [`to ${fitted(shown(to), width - 5)}`]),
        ...(row.reason === null ? [] : [wrapped(shown(whyOf(row)), width - 2, "    ")])
      ]
    }
  })
  return narrowTable(head, within, width, new Set([4, 5]))
}

const imagesOf = (images: ReadonlyArray<ReportedImage>, { wide, width }: Shown): string => {
  const head = ["IMAGE TO CLONE", "USERS", "SIZE"]
  const rows = images.map((it) =>
    [it.source, String(it.users), sizeOf(it)].map((text) => wide ? shownText(text) : shortDigests(shownText(text)))
  )
  const needed = widthsOf([head, ...rows]).reduce((sum, it) => sum + it + gap.usual, -gap.usual)
  return wide || width === undefined || needed <= width
    ? table(head, rows)
    : narrowTable(
      head.slice(0, 2),
      rows.map(([source = "", users = "", size = ""]) => ({
        cells: [source, users],
        below: [wrapped(size, width - 2, "    ")]
      })),
      width,
      new Set([1])
    )
}

const driftLine = ({ copy, names, source }: TagDrift): string =>
  `the tag ${source} has moved: its source names ${names}, its copy ${copy}`

const sumsOf = ({ images, notHandled, summary }: Report, checked: boolean): string => {
  const { admission, clone, done, leave, rewrite } = summary
  const total = images.reduce((sum, it) => sum + (it.bytes ?? 0), 0)
  const readable = images.filter((it) => it.problem === undefined || it.problem === null).length
  const count = readable === 0 ? "nothing" : `${readable} ${readable === 1 ? "image" : "images"}`
  const unreadable = images.length - readable
  const size = checked && readable > 0 ? ` (${shownBytes(total)}, shared layers counted each time)` : ""
  return `${count} to clone${size}${
    unreadable === 0 ? "" : `, ${unreadable} cannot be`
  }; containers: ${rewrite} to rewrite, ${admission} by admission, ${clone} to clone only, `
    + `${done} done, ${leave} left alone`
    + (notHandled.length === 0 ? "" : `; ${notHandled.length} in other objects, not handled`)
}

/** The report as text for people. */
export const asText = (of: Report, shown: Shown = { width: undefined, wide: false }): string => {
  const checked = of.images.some((it) => it.problem !== undefined) || of.rows.some((it) => it.check !== null)
  const lines = (texts: ReadonlyArray<string>) =>
    texts.map((it) => {
      const text = shown.wide ? shownText(it) : shortDigests(shownText(it))
      return shown.width === undefined || shown.wide ? text : wrapped(text, shown.width, "  ")
    }).join("\n")
  return [
    rowsOf(of, checked, shown),
    ...(checked && of.images.length > 0 ? [imagesOf(of.images, shown)] : []),
    ...of.budgets.map((it) => lines([budgetLine(it)])),
    ...(of.drifts.length === 0 ? [] : [lines(of.drifts.map(driftLine))]),
    ...(of.notHandled.length === 0 ? [] : [lines(of.notHandled.map(notHandledLine))]),
    lines([sumsOf(of, checked)])
  ].join("\n\n")
}

/** The workloads of the rows, each once, as `restore` takes them. */
export const asNames = ({ rows }: Report): string =>
  [...new Set(rows.map(({ namespace, workload }) => workload.replace("/", `/${namespace}/`)))].map(shownText).join("\n")
