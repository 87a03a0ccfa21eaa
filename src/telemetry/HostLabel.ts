// Which hosts may be the value of a metric's label: the configured ones and the twenty most used, else "other".
// Tenants choose the hosts of their images, so a host has to be used a while before it gets a series of its own,
// and the series never become more than that: a counter cannot be taken back.
const mostSlots = 20
const usesForASlot = 25
const mostCandidates = 1000

/** Counts the uses of `host` and gives the value of its label: the host itself or "other". */
export type HostLabel = (host: string) => string

export const makeHostLabel = (configured: Iterable<string>): HostLabel => {
  const named = new Set(configured)
  const most = named.size + mostSlots
  const uses = new Map<string, number>()
  return (host) => {
    if (named.has(host)) return host
    if (named.size >= most) return "other"
    const count = (uses.get(host) ?? 0) + 1
    uses.delete(host)
    if (count < usesForASlot) {
      // the candidate that was used least recently leaves: whoever sprays names cannot fill the memory
      const [stalest] = uses.keys()
      if (uses.size >= mostCandidates && stalest !== undefined) uses.delete(stalest)
      uses.set(host, count)
      return "other"
    }
    named.add(host)
    return host
  }
}
