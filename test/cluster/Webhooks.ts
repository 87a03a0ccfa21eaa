// What tests of webhooks on a real API server share: what the overlay installs, and pods that people make.
import { Effect } from "effect"
import { createServer } from "node:net"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { eventually } from "../support/Eventually.ts"
import { copyOf, daemon, namespace, Stage } from "../support/Stage.ts"
import * as W from "../support/World.ts"

/** What an API server answers, which is an object. */
export const objectOf = (it: unknown): JsonObject => J.isObject(it) ? it : {}

const configurations = "/apis/admissionregistration.k8s.io/v1"
export const originals = "image-cloner.io/original-images"

/** A port that was free a moment ago: the daemon must be told its own beforehand, as it is in WEBHOOK_URL. */
export const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

/** What manifests/overlays/admission brings: two configurations without webhooks, in a namespace of the controller's own. */
export const installed = Effect.gen(function*() {
  const client = yield* KubeClient
  yield* W.create("Namespace", "", { metadata: { name: "cloner" } })
  for (
    const [kind, path, name] of [
      ["MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "zz-image-cloner"],
      ["ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "image-cloner"]
    ] as const
  ) {
    yield* client.request({
      method: "POST",
      path: `${configurations}/${path}`,
      body: { apiVersion: "admissionregistration.k8s.io/v1", kind, metadata: { name } }
    })
  }
})

/** The overlay, and a Deployment `team/web`; what it runs, and what the copy of that is to be called. */
export const withWeb = Effect.gen(function*() {
  const now = yield* Stage
  yield* installed
  yield* now.upstream.load("team/web", SampleImage.twoPlatforms("web"), "1")
  const image = `${now.upstream.host}/team/web:1`
  yield* namespace("team")
  yield* W.make("Deployment", { namespace: "team", name: "web", image })
  return { image, copy: copyOf(now, "team/web", "1") }
})

const webhooksOf = (kind: string, name: string) =>
  Effect.flatMap(KubeClient, (client) =>
    Effect.map(
      client.request({ method: "GET", path: `${configurations}/${kind}/${name}` }),
      (it) => J.list(objectOf(it), "webhooks").length
    ))

export const mutates = (count: number) =>
  eventually(
    `the API server has not ${count} mutating webhooks`,
    webhooksOf("mutatingwebhookconfigurations", "zz-image-cloner"),
    (it) => it === count
  )

export const podSpec = (image: string): JsonObject => ({
  restartPolicy: "Never",
  containers: [{ name: "app", image }],
  initContainers: [{ name: "setup", image }]
})

export const makePod = (namespaceName: string, name: string, image: string, query: Record<string, string> = {}) =>
  Effect.flatMap(KubeClient, (client) =>
    client.request({
      method: "POST",
      path: `/api/v1/namespaces/${namespaceName}/pods`,
      query,
      body: { apiVersion: "v1", kind: "Pod", metadata: { name }, spec: podSpec(image) }
    }))

export const imagesOf = (pod: unknown) =>
  ["containers", "initContainers"].map((it) => J.text(J.list(objectOf(pod), "spec", it)[0], "image"))

/** A daemon that rewrites by admission alone, until the scope ends. */
export const admitting = Effect.fnUntraced(
  function*(names: ReadonlyArray<string>, settings: Record<string, string> = {}) {
    const port = yield* freePort
    return yield* daemon(names, { REWRITE_MODE: "admission", MUTATING_WEBHOOK: "on", ...settings }, undefined, {
      POD_NAMESPACE: "cloner",
      WEBHOOK_PORT: String(port),
      WEBHOOK_URL: `https://127.0.0.1:${port}`
    })
  }
)
