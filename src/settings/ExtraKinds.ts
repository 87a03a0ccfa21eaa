// ExtraKinds: the setting EXTRA_KINDS: kinds of custom resources that have a pod spec, each as `group/version/Kind=path.to.podspec`.
// Edge: whether the API server has such a kind, and what its plural is, is told by it alone (controller/extra/DiscoverKind.ts).
import { Result, Schema } from "effect"
import { fromText, quote } from "./SettingTypes.ts"

export const ExtraKind = Schema.Struct({
  group: Schema.String,
  version: Schema.String,
  kind: Schema.String,
  /** Names of fields from the object's root to the pod spec, joined by dots. */
  path: Schema.String
})
export type ExtraKind = typeof ExtraKind.Type

/** Each is a watch of its own. */
const mostKinds = 20
const deepestPath = 20

const label = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
const groupShape = new RegExp(`^(?=.{1,253}$)${label}(?:\\.${label})*$`)
const versionShape = new RegExp(`^${label}$`)
const kindShape = /^[A-Z][A-Za-z0-9]{0,62}$/
const fieldShape = /^[A-Za-z_][-\w]{0,62}$/

/** What the API server keeps for itself, or writes. */
const notWanted: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata", "status"])

const example = "argoproj.io/v1alpha1/Rollout=spec.template.spec"

const pathProblem = (path: string): string | undefined => {
  const fields = path.split(".")
  if (fields.length > deepestPath) return `it has more than ${deepestPath} fields`
  const bad = fields.find((it) => !fieldShape.test(it))
  if (bad !== undefined) {
    return `${quote(bad)} is no name of a field; a path has names joined by dots, and leads through no list`
  }
  return notWanted.has(fields[0] ?? "") ? `no pod spec is in ${fields[0]}` : undefined
}

const problemOf = ({ group, kind, path, version }: ExtraKind): string | undefined => {
  if (!groupShape.test(group)) return `${quote(group)} is no API group`
  // no custom resource can have a group without a dot
  if (!group.includes(".")) {
    return `kinds of ${group}/${version} are Kubernetes' own: those with pods are watched without being named`
  }
  if (!versionShape.test(version)) return `${quote(version)} is no version, such as v1`
  if (!kindShape.test(kind)) return `${quote(kind)} is no kind, such as Rollout`
  return pathProblem(path)
}

const read = (text: string): Result.Result<ExtraKind, string> => {
  const [of = "", path = "", ...more] = text.split("=").map((it) => it.trim())
  const [group = "", version = "", kind = "", ...rest] = of.split("/")
  if (path === "" || more.length > 0 || rest.length > 0 || (kind === "" && version === "")) {
    return Result.fail(`${quote(text)} is not group/version/kind=path.to.podspec, such as ${example}`)
  }
  if (kind === "") {
    return Result.fail(
      `${quote(text)}: kinds of the core group are Kubernetes' own: those with pods are watched without being named`
    )
  }
  const it = { group, version, kind, path }
  const problem = problemOf(it)
  return problem === undefined ? Result.succeed(it) : Result.fail(`${quote(text)}: ${problem}`)
}

/** How a kind is called wherever it is named: in keys of workloads, metrics and logs; kubectl takes it as well. */
export const extraName = ({ group, kind }: Pick<ExtraKind, "group" | "kind">): string => `${kind}.${group}`

const once = (all: ReadonlyArray<ExtraKind>): Result.Result<ReadonlyArray<ExtraKind>, string> => {
  const names = all.map(extraName)
  const twice = names.find((it, index) => names.indexOf(it) !== index)
  if (twice !== undefined) return Result.fail(`${twice} is there twice; one version and one path of it is enough`)
  return all.length > mostKinds
    ? Result.fail(`there are ${all.length} kinds, and at most ${mostKinds}`)
    : Result.succeed(all)
}

export const extraKinds = fromText(
  Schema.Array(ExtraKind),
  (text) =>
    Result.flatMap(Result.all(text.split(",").map((it) => it.trim()).filter((it) => it !== "").map(read)), once),
  (kinds) => kinds.map(({ group, kind, path, version }) => `${group}/${version}/${kind}=${path}`).join(",")
)
