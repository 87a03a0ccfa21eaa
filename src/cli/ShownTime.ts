// ShownTime: a moment as people read it beside another: the clock's time, and how far away it is.

const units = [["d", 86_400], ["h", 3600], ["m", 60]] as const

/** `45s`, `3m`, `5h`, `2d`: the largest unit of which there are two, and seconds below that. */
export const shownSpan = (millis: number): string => {
  const seconds = Math.round(Math.abs(millis) / 1000)
  const [unit, size] = units.find(([, each]) => seconds >= 2 * each) ?? ["s", 1]
  return `${Math.floor(seconds / size)}${unit}`
}

/**
 * `12:03:11 UTC, 3m ago`; with its day where that is another than today.
 * @param moment RFC 3339
 * @param now milliseconds since the epoch
 */
export const shownTime = (moment: string, now: number): string => {
  const at = Date.parse(moment)
  if (Number.isNaN(at)) return moment
  const [day, time = ""] = new Date(at).toISOString().split("T")
  const today = new Date(now).toISOString().slice(0, 10)
  const away = Math.abs(at - now) < 1000 ? "now" : at < now ? `${shownSpan(now - at)} ago` : `in ${shownSpan(at - now)}`
  return `${day === today ? "" : `${day} `}${time.slice(0, 8)} UTC, ${away}`
}
