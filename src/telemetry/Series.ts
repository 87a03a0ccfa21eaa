// A metric with labels: one series for each set of label values, made once and kept.
// `Metric.withAttributes` copies the context and joins labels at every update, and hides which values are possible.
import type { Metric } from "effect"

/** The values each label may have; an empty list says that they are known at run time only (and bounded by who uses it). */
export type Labels = { readonly [label: string]: ReadonlyArray<string> }

/** Labels with a value each. */
export type Attributes = Readonly<Record<string, string>>

/** One value for each label. */
type Values<L extends Labels> = { readonly [K in keyof L]: L[K][number] }

export interface Series<Input, State, L extends Labels> {
  (values: Values<L>): Metric.Metric<Input, State>
  /** The labels with the values that each may have. */
  readonly labels: Labels
  /** Every series known beforehand: all combinations, none if a label is open. */
  readonly known: ReadonlyArray<Metric.Metric<Input, State>>
}

/** A label whose values are known at run time only. */
export const open: ReadonlyArray<string> = []

const combinations = (labels: Labels): ReadonlyArray<Record<string, string>> =>
  Object.entries(labels).reduce<ReadonlyArray<Record<string, string>>>(
    (all, [label, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [label]: value }))),
    [{}]
  )

/** `metric` makes the one of a set of values. */
export const series = <Input, State, const L extends Labels>(
  metric: (attributes: Attributes) => Metric.Metric<Input, State>,
  labels: L
): Series<Input, State, L> => {
  const names = Object.keys(labels)
  const made = new Map<string, Metric.Metric<Input, State>>()
  const of = (values: Record<string, string>): Metric.Metric<Input, State> => {
    const key = names.map((name) => values[name]).join("\u0000")
    const present = made.get(key)
    if (present !== undefined) return present
    // in the order of the labels, whatever the order of the caller's literal
    const attributes = Object.fromEntries(names.map((name) => [name, values[name] ?? ""]))
    const one = metric(attributes)
    made.set(key, one)
    return one
  }
  return Object.assign(of, { labels, known: combinations(labels).map(of) })
}
