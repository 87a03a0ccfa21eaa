// Releases of a small chart, as Helm 3 and Helm 4 make them, with what each step costs their Deployment.
import { assert } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { dirname, join } from "node:path"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { run } from "../support/Command.ts"
import { costOf, type Subject, succeeded } from "../support/Costs.ts"
import { copyOf, Stage } from "../support/Stage.ts"
import * as W from "../support/World.ts"

export const mark = "image-cloner.io/rewrite"

/** A chart of one Deployment: an image, a setting of its pods, and a note that is of the object alone. */
const template = (marked: boolean) =>
  JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name: "{{ .Release.Name }}",
      annotations: { note: "{{ .Values.note }}", ...(marked ? { [mark]: "patch" } : {}) }
    },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "{{ .Release.Name }}" } },
      template: {
        metadata: { labels: { app: "{{ .Release.Name }}" } },
        spec: {
          containers: [{
            name: "app",
            image: "{{ .Values.image }}",
            env: [{ name: "SETTING", value: "{{ .Values.setting }}" }]
          }]
        }
      }
    }
  })

const writeChart = Effect.fnUntraced(function*(marked: boolean) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-test-" })
  yield* fs.makeDirectory(join(folder, "templates"))
  yield* fs.writeFileString(
    join(folder, "Chart.yaml"),
    JSON.stringify({ apiVersion: "v2", name: "web", version: "1.0.0" })
  )
  yield* fs.writeFileString(join(folder, "templates/web.yaml"), template(marked))
  return folder
})

interface Values {
  readonly image: string
  readonly note?: string
  readonly setting?: string
}

/** A release, and what people type about it; each waits until Helm says that it is done. */
export const release = Effect.fnUntraced(function*(binary: string, { name, namespace: at }: Subject, marked: boolean) {
  const { controlPlane: { kubeconfigFile } } = yield* Stage
  const chart = yield* writeChart(marked)
  const env = { PATH: process.env["PATH"] ?? "", HOME: dirname(kubeconfigFile), KUBECONFIG: kubeconfigFile }
  const helm = Effect.fnUntraced(function*(...words: ReadonlyArray<string>) {
    succeeded(words.join(" "), yield* run(binary, ["-n", at, ...words, "--wait", "--timeout", "60s"], { env }))
  })
  const given = ({ image, note = "1", setting = "1" }: Values) => [
    "--set-string",
    `image=${image},note=${note},setting=${setting}`
  ]
  return {
    install: (values: Values) => helm("install", name, chart, ...given(values)),
    upgrade: (values: Values, ...flags: ReadonlyArray<string>) =>
      helm("upgrade", name, chart, ...given(values), ...flags),
    /** To a revision of the release; to the one before where none is named. */
    rollback: (to = "") => helm("rollback", name, ...(to === "" ? [] : [to])),
    uninstall: helm("uninstall", name)
  }
})

export type Tag = "1" | "2"

export const bytesOf = (tag: Tag) => SampleImage.image(`released ${tag}`)

/** A release with the names that its images have, and what a step costs it. */
export const prepared = Effect.fnUntraced(function*(binary: string, subject: Subject, marked: boolean) {
  const stageNow = yield* Stage
  const helm = yield* release(binary, subject, marked)
  const repository = `${subject.namespace}/app`
  const costs = Effect.fnUntraced(
    function*<E, R>(wanted: number, what: string, step: Effect.Effect<unknown, E, R>, image: string, tag: Tag) {
      const cost = yield* costOf(subject, step, { image, digest: bytesOf(tag).manifest.digest })
      assert.strictEqual(cost, wanted, `rollouts of ${what} of ${subject.name}`)
    }
  )
  return {
    helm,
    costs,
    original: (tag: Tag) => `${stageNow.upstream.host}/${repository}:${tag}`,
    copy: (tag: Tag) => copyOf(stageNow, repository, tag)
  }
})

/** Somebody marks a Deployment that the chart says nothing about. */
export const markByHand = ({ name, namespace: at }: Subject) =>
  W.jsonPatch("kubectl-annotate", "Deployment", at, name, [
    { op: "add", path: `/metadata/annotations/${mark.replace("/", "~1")}`, value: "patch" }
  ])
