// StatusTable: how much is in the backup, on one screen of 80 columns: all, the namespaces with most at risk, why pods are left, and which
// images have no copy. Pure. Edge: names that tenants chose are shortened and escaped.
import type { CoverageCounts } from "../upkeep/Coverage.ts"
import { percent, sumOf } from "../upkeep/Coverage.ts"
import type { ClusterStatus } from "../web/ClusterStatus.ts"
import { fitted, shortDigests, wrapped } from "./Fit.ts"
import { shownText } from "./ShownText.ts"
import { table } from "./Table.ts"

/** What fits on a screen beside the rest; `-o json` has all. */
const mostRows = 6
const mostImages = 2
const mostVanished = 1

const cells = (counts: CoverageCounts): ReadonlyArray<string> =>
  [sumOf(counts), counts.running, counts.whole, counts["at-risk"], counts.left].map(String)

const more = (count: number, what: string): ReadonlyArray<string> => count > 0 ? [`… and ${count} more ${what}`] : []

const whyVanished = { "not-found": "404 for a day", unreachable: "its registry gives no answer" } as const

/** What only the backup has by now, or nobody. */
const vanishedLines = ({ count, images }: ClusterStatus["vanished"], width: number): ReadonlyArray<string> =>
  count === 0 ? [] : [
    `Sources that have vanished: ${count}`,
    ...images.slice(0, mostVanished).flatMap(({ cause, kept, pods, source }) => [
      fitted(`  ${shownText(shortDigests(source))} (${pods} pods)`, width),
      `    ${kept ? "kept by its copy" : "NO COPY"}: ${whyVanished[cause]}`
    ]),
    ...more(count - Math.min(images.length, mostVanished), "sources (-o json has them)")
  ]

const byWhom = { controller: "counted by the controller", command: "reckoned by this command" } as const

export const statusText = (status: ClusterStatus, width: number): string => {
  const { atRisk, images, left, namespaces, pods, ratio, vanished } = status
  const lost = vanishedLines(vanished, width)
  // all of it has to fit on a screen
  const shown = namespaces.slice(0, Math.max(1, mostRows - lost.length))
  const name = (text: string) => fitted(shownText(text), Math.max(20, width - 55))
  const rows = [
    ["all images", ...cells(images)],
    ["all pods", ...cells(pods)],
    ...shown.map((it) => [name(it.namespace), ...cells(it.pods)])
  ]
  const risks = atRisk.slice(0, mostImages).flatMap(({ pods: count, source, why }) => [
    fitted(`  ${shownText(shortDigests(source))} (${count} pods)`, width),
    fitted(`    ${shownText(why)}`, width)
  ])
  const reasons = left.map((it) => `${it.reason} ${it.pods}`).join(", ")
  return [
    wrapped(
      `${percent(ratio)} of the pods that can have a copy of all their images have one, ${byWhom[status.by]}.`,
      width,
      "  "
    ),
    "",
    table(["PODS OF", "IN ALL", "RUNNING", "WHOLE", "AT RISK", "LEFT"], rows),
    ...more(namespaces.length - shown.length + status.more, "namespaces (-o json has them)"),
    "",
    wrapped(
      "RUNNING names its copies, WHOLE has them in the backup, AT RISK has an image without, LEFT one that is not copied.",
      width,
      "  "
    ),
    ...reasons === "" ? [] : [wrapped(`Left: ${reasons}`, width, "  ")],
    ...lost,
    ...risks.length === 0 ? [] : ["", "Images without a copy:", ...risks],
    ...more(images["at-risk"] - Math.min(atRisk.length, mostImages), "images")
  ].join("\n")
}
