// A release of our own chart as people make and change it, by Helm 3 or 4, and what the cluster then has of it.
import { assert } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { dirname, join } from "node:path"
import * as J from "../../sandbox/Json.ts"
import { chart } from "../charts/Rendering.ts"
import { run } from "../support/Command.ts"
import { Stage } from "../support/Stage.ts"
import { kubectl as kubectlFile } from "./RealTools.ts"

export const own = "image-cloner"

const environment = Effect.map(Stage, ({ controlPlane: { kubeconfigFile } }) => ({
  PATH: process.env["PATH"] ?? "",
  HOME: dirname(kubeconfigFile),
  KUBECONFIG: kubeconfigFile
}))

/** kubectl as administrator in the release's namespace; fails the test where it fails. */
export const kubectl = Effect.fnUntraced(function*(...words: ReadonlyArray<string>) {
  const ended = yield* run(kubectlFile, ["-n", own, ...words], { env: yield* environment })
  assert.strictEqual(ended.code, 0, `${words.join(" ")}: ${ended.stdout}${ended.stderr}`)
  return ended.stdout.trim()
})

export const objectOf = (...words: ReadonlyArray<string>) =>
  Effect.map(kubectl("get", ...words, "-o", "json"), (it) => J.object(JSON.parse(it)))

/** What people type about the release, with all of its values in a file; it answers how that ended. */
export const typed = Effect.fnUntraced(
  function*(binary: string, words: ReadonlyArray<string>, values?: J.JsonObject) {
    const fs = yield* FileSystem.FileSystem
    const file = join(yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-test-" }), "values.json")
    yield* fs.writeFileString(file, JSON.stringify(values ?? {}))
    const given = values === undefined ? [] : [chart, "-f", file]
    return yield* run(binary, ["-n", own, ...words, ...given], { env: yield* environment })
  },
  Effect.scoped
)

/** The same, which has to end well once all is ready. */
export const done = Effect.fnUntraced(
  function*(binary: string, words: ReadonlyArray<string>, values?: J.JsonObject) {
    const ended = yield* typed(binary, [...words, "--wait", "--timeout", "90s"], values)
    assert.strictEqual(ended.code, 0, `${words.join(" ")}: ${ended.stdout}${ended.stderr}`)
    return ended.stdout
  }
)

const configurations = ["mutatingwebhookconfiguration/zz-image-cloner", "validatingwebhookconfiguration/image-cloner"]

/** Fills in what the controller does, as the controller does: it is asked about no namespace that there is. */
export const fillIn = Effect.forEach(configurations, (it) =>
  kubectl(
    "patch",
    it,
    "--type=json",
    "--field-manager=image-cloner",
    `-p=${
      JSON.stringify([{
        op: "add",
        path: "/webhooks",
        value: [{
          name: "pods.image-cloner.io",
          clientConfig: { service: { name: "image-cloner-webhook", namespace: own, path: "/" } },
          failurePolicy: "Ignore",
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
          namespaceSelector: { matchLabels: { nobody: "has-this" } },
          rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }]
        }]
      }])
    }`
  ))

/** How many webhooks the two configurations have. */
export const filledIn = Effect.forEach(
  configurations,
  (it) => Effect.map(objectOf(it), (object) => J.list(object, "webhooks").length)
)

/** What one replica differs in from two. */
export const shape = Effect.map(objectOf("deployment/image-cloner-controller"), (it) => {
  const container = J.object(it, "spec", "template", "spec", "containers", 0)
  return {
    image: J.text(container, "image"),
    replicas: J.number(it, "spec", "replicas"),
    strategy: J.text(it, "spec", "strategy", "type"),
    elects: J.list(container, "env").some((variable) => J.text(variable, "name") === "LEADER_ELECTION"),
    webhook: J.list(container, "ports").some((port) => J.text(port, "name") === "webhook")
  }
})
