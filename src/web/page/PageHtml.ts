// PageHtml: PageView → HTML that reads well without style and without script: landmarks, headings, tables with captions. Pure; every
// value goes through Html.ts. Edge: the parts have ids, so that PageScript can put a newer one in the place of an older.
import { shownBytes } from "../../image/ShownBytes.ts"
import { percent } from "../../upkeep/Coverage.ts"
import { coverageStates } from "../../upkeep/PodCoverage.ts"
import { courseSvg } from "./CourseSvg.ts"
import { Html, html } from "./Html.ts"
import type { CopyView, FailedImageView, HeldView, PageView, RegistryView, Some, TroubleView } from "./PageView.ts"

/** One part of the page. */
export interface Part {
  readonly id: string
  readonly body: Html
}

const states = {
  running: ["●", "running from the backup"],
  whole: ["◐", "in the backup, not run from it yet"],
  "at-risk": ["▲", "at risk: no copy"],
  left: ["–", "cannot or must not be copied"]
} as const

const number = (it: number): string => it.toLocaleString("en-US")

/** With its day where that is not today. */
const time = (at: number | undefined, now: number): Html => {
  if (at === undefined || !Number.isFinite(at) || Math.abs(at) > 8.64e15) return html`not known`
  const moment = new Date(at).toISOString()
  const isToday = moment.slice(0, 10) === new Date(now).toISOString().slice(0, 10)
  return html`<time datetime="${moment}">${isToday ? "" : `${moment.slice(5, 10)} `}${moment.slice(11, 19)}</time>`
}

const moreOf = ({ more }: Some<unknown>, what: string): Html =>
  more === 0 ? html`` : html`<p class="more">${what} not shown: ${number(more)}.</p>`

/** A table; its columns are headings, and so is the first cell of each row. */
const table = (caption: string, columns: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<Html>>): Html =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table><caption>${caption}</caption><thead><tr>${
    columns.map((it) => html`<th scope="col">${it}</th>`)
  }</tr></thead><tbody>${
    rows.map(([first, ...cells]) =>
      html`<tr><th scope="row">${first}</th>${cells.map((it) => html`<td>${it}</td>`)}</tr>`
    )
  }</tbody></table></div>\n`

const count = (it: number): Html => html`<span class="number">${number(it)}</span>`

const head = ({ at, complete, version }: PageView): Html =>
  html`<p>As of ${time(at, at)} UTC, version ${version}.${
    complete ? "" : " The controller has not seen the whole cluster yet: shares are those of what it has seen."
  }</p>`

const coverage = (view: PageView): Html =>
  html`<h2>Coverage</h2>
<p class="headline"><strong>${percent(view.ratio)}</strong> of the pods that can have a copy have one.</p>
${courseSvg(view.course)}
${
    table(
      "Pods and images by state",
      ["State", "Pods", "Images"],
      coverageStates.map((state) => {
        const [sign, words] = states[state]
        return [
          html`<span class="sign ${state}" aria-hidden="true">${sign}</span> ${words}`,
          count(view.pods[state]),
          count(view.images[state])
        ]
      })
    )
  }`

const commands = (all: TroubleView["commands"]): Html =>
  all.length === 0
    ? html``
    : html`<ul class="commands">${
      all.map(({ command, does }) => html`<li><span>${does}:</span> <code>${command}</code></li>`)
    }</ul>`

const trouble = ({ at, trouble: some }: PageView): Html =>
  html`<h2>Waits for somebody</h2>
${
    some.first.length === 0
      ? html`<p>No workload does.</p>`
      : some.first.map((it) =>
        html`<article><h3>${it.workload}</h3>
<p><b>${it.reason}</b> since ${time(it.since, at)}: ${it.detail}</p>
<p>What to do: ${it.advice}.</p>${commands(it.commands)}</article>\n`
      )
  }${moreOf(some, "Workloads")}`

const causes = {
  "not-found": "its registry has answered 404 for a day or longer",
  unreachable: "its registry has given no answer for an hour or longer"
} as const

/** Only where there are any: on most days there are none. */
const vanished = ({ vanished: some }: PageView): Html =>
  some.first.length === 0
    ? html``
    : html`<h2>Sources that have vanished</h2>
${
      table(
        "Images in use that have lost their source, those without a copy first",
        ["Image", "Why", "Copy", "Pods"],
        some.first.map(({ cause, kept, pods, source }) => [
          html`${source}`,
          html`${causes[cause]}`,
          kept ? html`in the backup` : html`<b class="warn">none</b>`,
          count(pods)
        ])
      )
    }${moreOf(some, "Images")}`

const failedRow = (now: number) => (it: FailedImageView): ReadonlyArray<Html> => [
  html`${it.source}`,
  html`<b>${it.state}</b>: ${it.detail}`,
  count(it.users),
  it.retryAt === undefined ? html`not known` : time(it.retryAt, now),
  html`<code>${it.command}</code>`
]

const failed = ({ at, failed: some }: PageView): Html =>
  html`<h2>Not copied</h2>
${
    some.first.length === 0
      ? html`<p>Every image that was tried has been copied.</p>`
      : table(
        "Images that could not be copied, most used first",
        ["Image", "Why", "Used by", "Next try (UTC)", "More"],
        some.first.map(failedRow(at))
      )
  }${moreOf(some, "Images")}`

const copyRow = (now: number) => ({ blobs, bytes, source, startedAt }: CopyView): ReadonlyArray<Html> => [
  html`${source}`,
  bytes.total === 0
    ? html`looking`
    : html`<progress max="${bytes.total}" value="${
      Math.min(bytes.done, bytes.total)
    }" aria-label="${source}"></progress> ${shownBytes(bytes.done)} of ${shownBytes(bytes.total)}`,
  html`<span class="number">${number(blobs.done)} of ${number(blobs.total)}</span>`,
  time(startedAt, now)
]

const copies = ({ at, copies: some, waiting }: PageView): Html =>
  html`<h2>Copied now</h2>
${
    some.first.length === 0
      ? html`<p>Nothing.</p>`
      : table(
        "Copies under way, oldest first",
        ["Image", "Bytes", "Layers", "Since (UTC)"],
        some.first.map(copyRow(at))
      )
  }${moreOf(some, "Copies")}${waiting === 0 ? html`` : html`<p>${number(waiting)} more wait for their turn.</p>`}`

const heldRow = ({ advice, meaning, reason, workloads: { first, more } }: HeldView): ReadonlyArray<Html> => [
  html`<b>${reason}</b>`,
  count(first.length + more),
  html`${meaning}`,
  html`${advice}`,
  html`${first.map((it) => html`<span class="name">${it}</span> `)}${more === 0 ? "" : `and ${number(more)} more`}`
]

const held = ({ held: all }: PageView): Html =>
  html`<h2>Held</h2>
${
    all.length === 0
      ? html`<p>Nothing is held.</p>`
      : table(
        "Workloads that are not rewritten now, by reason",
        ["Reason", "Workloads", "Meaning", "What to do", "Longest first"],
        all.map(heldRow)
      )
  }`

const registryRow = ({ budget, host, images, restFor }: RegistryView): ReadonlyArray<Html> => [
  html`${host}`,
  count(images),
  budget === undefined
    ? html`announces none`
    : html`<span class="number">${number(budget.remaining)} of ${number(budget.limit)}</span> in ${
      number(budget.windowMinutes)
    } min`,
  restFor === 0 ? html`may be asked` : html`<b>rests</b> for ${number(Math.ceil(restFor / 60_000))} min`
]

const registries = ({ registries: some }: PageView): Html =>
  html`<h2>Source registries</h2>
${
    some.first.length === 0
      ? html`<p>No image is in use yet.</p>`
      : table(
        "Registries that images come from, most used first",
        ["Registry", "Images", "Budget left", "Now"],
        some.first.map(registryRow)
      )
  }${moreOf(some, "Registries")}`

const namespaces = ({ namespaces: some }: PageView): Html =>
  html`<h2>Namespaces</h2>
${
    some.first.length === 0
      ? html`<p>No pods were seen yet.</p>`
      : table(
        "Pods of each namespace by state, those with most at risk first",
        ["Namespace", "At risk", "Whole", "Running", "Left"],
        some.first.map(({ namespace, pods }) => [
          html`${namespace}`,
          html`<span class="number ${pods["at-risk"] > 0 ? "warn" : ""}">${number(pods["at-risk"])}</span>`,
          count(pods.whole),
          count(pods.running),
          count(pods.left)
        ])
      )
  }${moreOf(some, "Namespaces")}`

const changes = ({ at, changes: all }: PageView): Html =>
  html`<h2>Last changes</h2>
${
    all.length === 0
      ? html`<p>Nothing was changed since this process began.</p>`
      : table(
        "The last hundred changes, newest first",
        ["When (UTC)", "What", "Of", "Detail"],
        all.map((
          it
        ) => [time(it.at, at), html`<span class="kind">${it.kind}</span>`, html`${it.name}`, html`${it.detail}`])
      )
  }`

const makers = {
  head,
  coverage,
  trouble,
  vanished,
  copies,
  failed,
  held,
  registries,
  namespaces,
  changes
}

/** The parts in their order. */
export const partsOf = (view: PageView): ReadonlyArray<Part> =>
  Object.entries(makers).map(([id, make]) => ({ id, body: make(view) }))

/** The page whole; undefined: there is no controller to ask yet. */
export const pageHtml = (view: PageView | undefined): string => {
  const parts = view === undefined
    ? [{ id: "head", body: html`<p>The controller has not begun yet. Reload this page in a moment.</p>` }]
    : partsOf(view)
  const [first, ...others] = parts
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>image-cloner: status</title>
<link rel="stylesheet" href="status.css">
<script src="status.js" defer></script>
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header><h1>image-cloner</h1><div id="head">${first?.body}</div><p id="live" role="status">As of when it was loaded.</p></header>
<main id="main" tabindex="-1">
${others.map(({ body, id }) => html`<section id="${id}">${body}</section>\n`)}</main>
<footer><p>This page only shows. What it says of one workload or image whole: <code>image-cloner explain</code>.</p></footer>
</body>
</html>
`.text
}
