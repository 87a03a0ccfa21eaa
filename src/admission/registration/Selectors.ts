// Selectors: whether a selector in the cluster keeps away all that ours does, and beyond that only keeps more away. Pure. Source:
// k8s.io/apimachinery meta/v1 LabelSelector. Edge: platforms add to the selectors of every webhook and put their additions in
// again for ever: AKS what has `control-plane` or is its own, GKE Autopilot its namespaces. Those are no drift, and stay.
import { Schema } from "effect"

const Expression = Schema.Struct({
  key: Schema.String,
  operator: Schema.String,
  values: Schema.optionalKey(Schema.Array(Schema.String))
})
type Expression = typeof Expression.Type

/** A selector as we write it, by expressions alone; an empty one takes everything. */
export const Selector = Schema.Struct({ matchExpressions: Schema.optionalKey(Schema.Array(Expression)) })
export type Selector = typeof Selector.Type

/** What has more in it than expressions, `matchLabels` above all, is none of these: that asks for something to be there. */
const decode = Schema.decodeUnknownOption(Selector, { onExcessProperty: "error" })

/** The API server sets it on every namespace, so to ask that it is not there takes us out of all of them. */
const onEveryNamespace = "kubernetes.io/metadata.name"

const excludes = ({ key, operator }: Expression): boolean =>
  operator === "NotIn" || (operator === "DoesNotExist" && key !== onEveryNamespace)

const covers = (found: Expression, ours: Expression): boolean => {
  const [theirValues, ourValues] = [found.values ?? [], ours.values ?? []]
  return found.key === ours.key && found.operator === ours.operator &&
    ourValues.every((it) => theirValues.includes(it)) &&
    // more values of a NotIn exclude more, and of an In would let more through
    (ours.operator === "NotIn" || theirValues.every((it) => ourValues.includes(it)))
}

/**
 * Whether all of ours is there, in whatever order, and the rest only excludes. An `In`, an `Exists` or a label to match would
 * take us out of nearly everything without a word, which is nothing that a platform's guard does.
 */
export const narrows = (found: unknown, ours: Selector): boolean => {
  const decoded = decode(found)
  if (decoded._tag === "None") return false
  const theirs = decoded.value.matchExpressions ?? []
  const wanted = ours.matchExpressions ?? []
  return wanted.every((our) => theirs.some((it) => covers(it, our))) &&
    theirs.every((it) => excludes(it) || wanted.some((our) => covers(it, our)))
}
