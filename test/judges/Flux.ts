// Flux's kustomize-controller as a process, fed by hand: what source-controller would say of a repository, a test writes into the
// status of a GitRepository itself, and serves the archive. Edge: no Git, no authentication, no garbage collection of archives.
import { Effect, FileSystem, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { gzipSync } from "node:zlib"
import type { JsonObject } from "../../sandbox/Json.ts"
import * as J from "../../sandbox/Json.ts"
import { sha256 } from "../../sandbox/registry/BlobStorage.ts"
import { tarOf } from "../../sandbox/registry/Tar.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { run } from "../support/Command.ts"
import { succeeded } from "../support/Costs.ts"
import { startProxy } from "../support/Proxy.ts"
import { kubectl, tool } from "./RealTools.ts"
import { Stage } from "../support/Stage.ts"
import { eventually } from "../support/Eventually.ts"

const time = "2026-01-01T00:00:00Z"

const paths = {
  GitRepository: (namespace: string) => `/apis/source.toolkit.fluxcd.io/v1/namespaces/${namespace}/gitrepositories`,
  Kustomization: (namespace: string) => `/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/${namespace}/kustomizations`
}

/** Creates an object of Flux. */
const create = Effect.fnUntraced(function*(
  kind: keyof typeof paths,
  namespace: string,
  name: string,
  spec: JsonObject
) {
  const client = yield* KubeClient
  const apiVersion = paths[kind]("").split("/").slice(2, 4).join("/")
  yield* client.request({
    method: "POST",
    path: paths[kind](namespace),
    body: { apiVersion, kind, metadata: { name }, spec }
  })
})

/** Tells what is in a repository from now on, one manifest; answers the revision. */
const publisher = Effect.fnUntraced(function*(namespace: string, name: string) {
  const archives = new Map<string, Uint8Array>()
  const { host } = yield* startProxy("", ({ url = "" }, response) => void response.end(archives.get(url)))
  const client = yield* KubeClient
  return Effect.fnUntraced(function*(manifest: JsonObject) {
    const archive = gzipSync(tarOf("manifest.yaml", JSON.stringify(manifest)))
    const digest = sha256(archive)
    const path = `/${digest.slice(7)}.tar.gz`
    const revision = `main@${digest}`
    archives.set(path, archive)
    yield* client.request({
      method: "PATCH",
      path: `${paths.GitRepository(namespace)}/${name}/status`,
      contentType: "application/merge-patch+json",
      body: {
        status: {
          artifact: {
            digest,
            path: path.slice(1),
            url: `http://${host}${path}`,
            revision,
            lastUpdateTime: time,
            size: archive.length
          },
          conditions: [{ type: "Ready", status: "True", reason: "Succeeded", message: "", lastTransitionTime: time }]
        }
      }
    })
    return revision
  })
})

/** What the Kustomization says of its last reconciliation. */
const saysOf = Effect.fnUntraced(function*(namespace: string, name: string) {
  const client = yield* KubeClient
  const answer = yield* client.request({ method: "GET", path: `${paths.Kustomization(namespace)}/${name}` })
  const status = J.object(J.isObject(answer) ? answer : {}, "status")
  const ready = J.list(status, "conditions").find((it) => J.text(it, "type") === "Ready")
  return {
    revision: J.text(status, "lastAppliedRevision"),
    ready: J.text(ready, "status") === "True",
    message: J.text(ready, "message")
  }
})

/** A repository that is reconciled every two seconds. */
export const kustomization = Effect.fnUntraced(function*(namespace: string, name: string, spec: JsonObject = {}) {
  yield* create("GitRepository", namespace, name, { interval: "1h", url: "https://git.example/repository" })
  const publish = yield* publisher(namespace, name)
  yield* create("Kustomization", namespace, name, {
    interval: "2s",
    path: "./",
    prune: true,
    sourceRef: { kind: "GitRepository", name },
    ...spec
  })
  const client = yield* KubeClient
  return {
    /** Answers when Flux says that it has applied it. */
    publish: Effect.fnUntraced(function*(manifest: JsonObject) {
      const revision = yield* publish(manifest)
      yield* eventually(
        `Flux does not apply what was published of ${name}`,
        saysOf(namespace, name),
        (it) => it.ready && it.revision === revision
      )
    }),
    says: saysOf(namespace, name),
    /** Flux takes away what it made of it. */
    remove: client.request({ method: "DELETE", path: `${paths.Kustomization(namespace)}/${name}` })
  }
})

/** Gives the cluster Flux's kinds and runs the controller until the scope ends; answers its log so far. */
export const startFlux = Effect.gen(function*() {
  const { controlPlane: { kubeconfigFile } } = yield* Stage
  const fs = yield* FileSystem.FileSystem
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-test-" })
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder, KUBECONFIG: kubeconfigFile }
  succeeded("the kinds of Flux", yield* run(kubectl, ["create", "-f", tool("crds")], { env }))
  succeeded(
    "wait for them",
    yield* run(kubectl, ["wait", "--for=condition=Established", "-f", tool("crds"), "--timeout=30s"], { env })
  )
  const child = yield* spawner.spawn(ChildProcess.make(
    tool("kustomize-controller"),
    [
      "--metrics-addr=127.0.0.1:0",
      "--health-addr=127.0.0.1:0",
      "--requeue-dependency=1s",
      "--interval-jitter-percentage=0"
    ],
    { env: { ...env, RUNTIME_NAMESPACE: "default", TMPDIR: folder }, extendEnv: false }
  ))
  const log: Array<string> = []
  yield* child.all.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runForEach((line) => Effect.sync(() => void log.push(line))),
    Effect.ignore,
    Effect.forkScoped
  )
  return log
})
