// What the chart and the manifests come to as objects: by Helm 4, which HELM names (`make judge` builds one), and by kubectl's
// kustomize, which comes with the control plane. Edge: neither asks a cluster.
import { Effect, FileSystem } from "effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseAllDocuments } from "yaml"
import * as J from "../../sandbox/Json.ts"
import { type Ended, run } from "../support/Command.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
export const chart = join(root, "charts/image-cloner")

const named = (variable: string, name: string): string => {
  const folder = process.env[variable] ?? ""
  return folder === "" ? "" : join(folder, name)
}
const helm = process.env["HELM"] || named("JUDGES", "helm4")
const kubectl = named("KUBEBUILDER_ASSETS", "kubectl")

/** What stands behind the name of a suite that has no parts here. */
export const missing: string = helm === ""
  ? " (no Helm: HELM, or JUDGES)"
  : existsSync(kubectl)
  ? ""
  : " (no kubectl: KUBEBUILDER_ASSETS)"

/** Values that the chart wants to be told. */
export const required = {
  image: { repository: "registry.example/tools/image-cloner", tag: "1" },
  settings: { BACKUP_REGISTRY: "registry.example/backup" }
} satisfies J.JsonObject

const inHome = Effect.fnUntraced(function*(binary: string, args: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const HOME = yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-test-" })
  return yield* run(binary, args, { env: { PATH: process.env["PATH"] ?? "", HOME }, cwd: root })
}, Effect.scoped)

const objectsOf = (ended: Ended): ReadonlyArray<J.JsonObject> =>
  parseAllDocuments(ended.stdout).map((it) => J.object(it.toJS())).filter((it) => it["kind"] !== undefined)

/** `helm COMMAND` with these values, in a file as people keep them. */
export const helmWith = Effect.fnUntraced(
  function*(command: ReadonlyArray<string>, values: J.JsonObject, ...more: ReadonlyArray<string>) {
    const fs = yield* FileSystem.FileSystem
    const file = join(yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-test-" }), "values.json")
    yield* fs.writeFileString(file, JSON.stringify(values))
    return yield* inHome(helm, [...command, chart, "-n", "image-cloner", "-f", file, ...more])
  },
  Effect.scoped
)

export const template = (values: J.JsonObject, ...more: ReadonlyArray<string>) =>
  helmWith(["template", "image-cloner"], values, ...more)

/** The objects that the chart makes of these values; what Helm refuses fails with its words. */
export const rendered = Effect.fnUntraced(function*(values: J.JsonObject) {
  const ended = yield* template(values)
  return ended.code === 0 ? objectsOf(ended) : yield* Effect.fail(ended.stderr)
})

/** The objects of a folder of the manifests. */
export const kustomized = Effect.fnUntraced(function*(folder: string) {
  const ended = yield* inHome(kubectl, ["kustomize", join(root, "manifests", folder)])
  return ended.code === 0 ? objectsOf(ended) : yield* Effect.fail(ended.stderr)
})

export const keyOf = (it: J.JsonObject): string =>
  `${J.text(it, "kind")}/${J.text(it, "metadata", "namespace") ?? ""}/${J.text(it, "metadata", "name")}`
