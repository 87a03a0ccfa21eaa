// CourseSvg: the course of coverage as a small drawing, with the same in words for who does not see it. Pure. Edge: it has no colours;
// PageStyle gives them.
import { percent } from "../../upkeep/Coverage.ts"
import type { CoverageSample } from "./CoverageCourse.ts"
import { type Html, html } from "./Html.ts"

const width = 600
const height = 90

/** Nothing while there is no line to draw. */
export const courseSvg = (samples: ReadonlyArray<CoverageSample>): Html => {
  const [first] = samples
  const last = samples.at(-1)
  if (first === undefined || last === undefined || samples.length < 2) {
    return html`<p class="more">Its course is drawn once there are two samples, five minutes apart.</p>`
  }
  const lowest = Math.min(...samples.map((it) => it.ratio))
  const floor = Math.min(0.9, Math.floor(lowest * 10) / 10)
  const span = Math.max(1, last.at - first.at)
  const points = samples.map(({ at, ratio }) =>
    `${((at - first.at) / span * width).toFixed(1)},${((1 - ratio) / (1 - floor) * height).toFixed(1)}`
  ).join(" ")
  const since = new Date(first.at).toISOString().slice(11, 16)
  const words = `Since ${since} UTC: lowest ${percent(lowest)}, now ${percent(last.ratio)}.`
  return html`<figure><svg viewBox="0 -4 ${width} ${
    height + 8
  }" role="img" aria-label="Course of coverage. ${words}" preserveAspectRatio="none"><line x1="0" x2="${width}" y1="0" y2="0"/><line x1="0" x2="${width}" y1="${height}" y2="${height}"/><polyline points="${points}"/></svg><figcaption>${words} The lines are ${
    percent(floor)
  } and 100 %.</figcaption></figure>`
}
