// MetricMakers: metrics of the kinds that the program has, under its name: one for each set of the values of labels, or one without
// labels. Which there are is Metrics.ts.
import { Metric } from "effect"
import type { Attributes } from "./Series.ts"

const name = (text: string): string => `image_cloner_${text}`

export const counters = (text: string, description: string) => (attributes: Attributes) =>
  Metric.counter(name(text), { description, incremental: true, attributes })
export const gauges = (text: string, description: string) => (attributes: Attributes) =>
  Metric.gauge(name(text), { description, attributes })
export const histograms =
  (text: string, description: string, boundaries: ReadonlyArray<number>) => (attributes: Attributes) =>
    Metric.histogram(name(text), { description, boundaries, attributes })
export const counter = (text: string, description: string) => counters(text, description)({})
export const gauge = (text: string, description: string) => gauges(text, description)({})
export const seconds = (text: string, description: string, boundaries: ReadonlyArray<number>) =>
  histograms(text, description, boundaries)({})
