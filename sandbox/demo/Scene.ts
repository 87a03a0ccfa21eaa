// Scene: what the demo's world looks like at the start: the public registry's images and the cluster's workloads.
import { Effect } from "effect"
import type { JsonObject } from "../Json.ts"
import type { EmbeddedRegistry } from "../registry/EmbeddedRegistry.ts"
import * as SampleImage from "../registry/SampleImage.ts"

const base = SampleImage.layer("a base that many images share", 400_000)
const runtime = SampleImage.layer("a language runtime that two images share", 300_000)

const small = (name: string): Uint8Array => SampleImage.layer(name, 60_000)

/** Repository and tag of every public image, with the image. */
const images: ReadonlyArray<readonly [repository: string, tag: string, image: SampleImage.Image]> = [
  ["library/web", "1.27", SampleImage.twoPlatforms("web", { shared: [base] })],
  ["library/redis", "7", SampleImage.image("redis", { docker: true, layers: [base, small("redis")] })],
  ["acme/api", "2.1", SampleImage.image("api", { layers: [base, runtime, small("api")] })],
  ["acme/report", "2.1", SampleImage.image("report", { layers: [base, runtime, small("report")] })],
  ["acme/agent", "1.0", SampleImage.image("agent", { docker: true, layers: [base, small("agent")] })],
  ["acme/signed", "1.0", SampleImage.image("signed", { layers: [base, small("signed")] })],
  ["system/dns", "1.9", SampleImage.image("dns", { layers: [small("dns")] })]
]

/** Fills the public registry; one image carries a signature that refers to it. */
export const publish = Effect.fnUntraced(function*(registry: EmbeddedRegistry) {
  for (const [repository, tag, image] of images) yield* registry.load(repository, image, tag)
  const signed = images.find(([repository]) => repository === "acme/signed")
  if (signed !== undefined) {
    const signature = SampleImage.artifact(
      signed[2].manifest,
      "application/vnd.dev.cosign.artifact.sig.v1+json",
      "a signature"
    )
    yield* registry.load("acme/signed", signature)
  }
})

export const namespaces = ["shop", "data", "infra"]
/** The namespace whose workload stays as it is. */
export const untouched = "kube-system"

export interface Manifest {
  readonly kind: "Deployment" | "DaemonSet" | "StatefulSet" | "CronJob"
  readonly namespace: string
  readonly name: string
  readonly body: JsonObject
}

const metadata = (namespace: string, name: string): JsonObject => ({ name, namespace, labels: { app: name } })

const template = (name: string, spec: JsonObject): JsonObject => ({ metadata: { labels: { app: name } }, spec })

const container = (name: string, image: string): JsonObject => ({ name, image })

const rolling = (
  kind: "Deployment" | "DaemonSet" | "StatefulSet",
  namespace: string,
  name: string,
  podSpec: JsonObject,
  more: JsonObject = {},
  annotations: JsonObject = {}
): Manifest => ({
  kind,
  namespace,
  name,
  body: {
    metadata: { ...metadata(namespace, name), annotations },
    spec: { selector: { matchLabels: { app: name } }, template: template(name, podSpec), ...more }
  }
})

/** The workloads, with images of the registry at `host`. */
export const workloads = (host: string): ReadonlyArray<Manifest> => [
  rolling("Deployment", "shop", "web", {
    initContainers: [container("migrate", `${host}/acme/api:2.1`)],
    containers: [container("web", `${host}/library/web:1.27`)]
  }, { replicas: 2 }),
  rolling("Deployment", "shop", "api", { containers: [container("api", `${host}/acme/api:2.1`)] }, { replicas: 1 }),
  rolling("Deployment", "infra", "signed", { containers: [container("app", `${host}/acme/signed:1.0`)] }, {
    replicas: 1
  }),
  rolling("DaemonSet", "infra", "agent", { containers: [container("agent", `${host}/acme/agent:1.0`)] }),
  rolling("StatefulSet", "data", "redis", { containers: [container("redis", `${host}/library/redis:7`)] }, {
    replicas: 1,
    serviceName: "redis"
  }, {
    // nothing else of its namespace could show that pods can pull, so its owner names it
    "image-cloner.io/rewrite": "patch"
  }),
  {
    kind: "CronJob",
    namespace: "shop",
    name: "report",
    body: {
      metadata: metadata("shop", "report"),
      spec: {
        schedule: "0 3 * * *",
        jobTemplate: {
          spec: {
            template: template("report", {
              restartPolicy: "Never",
              containers: [container("report", `${host}/acme/report:2.1`)]
            })
          }
        }
      }
    }
  },
  rolling("Deployment", untouched, "dns", { containers: [container("dns", `${host}/system/dns:1.9`)] }, { replicas: 1 })
]
