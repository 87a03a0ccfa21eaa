// Contract: the commands people type. The same kubectl against both servers.
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import * as ControlPlane from "./ControlPlane.ts"
import { TestCluster } from "./ControlPlane.ts"
import * as Objects from "./Objects.ts"

interface Said {
  readonly code: number
  readonly text: string
}

/** Runs kubectl in a namespace; what it said on both outputs, and its exit code. */
const commands = Effect.fnUntraced(function*(kubectl: string, namespace: string) {
  const { kubeconfigFile } = yield* TestCluster
  const cache = path.join(path.dirname(kubeconfigFile), "kubectl-cache")
  return (...words: ReadonlyArray<string>): Effect.Effect<Said> =>
    Effect.callback<Said>((resume) => {
      const flags = [`--kubeconfig=${kubeconfigFile}`, `--cache-dir=${cache}`, `--namespace=${namespace}`]
      execFile(kubectl, [...flags, ...words], { timeout: 60_000 }, (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1
        resume(Effect.succeed({ code, text: `${out}${err}` }))
      })
    })
})

export const kubectl = (it: Vitest.MethodsNonLive<ControlPlane.Needs>, binary: string) => {
  it.effect("kubectl applies, looks, changes images, waits, rolls back and deletes", () =>
    Effect.gen(function*() {
      const { kubeconfigFile, registry } = yield* TestCluster
      const namespace = yield* ControlPlane.namespace
      const run = yield* commands(binary, namespace)
      const ok = (...words: ReadonlyArray<string>) =>
        Effect.map(run(...words), (said) => {
          assert.strictEqual(said.code, 0, `kubectl ${words.join(" ")}: ${said.text}`)
          return said.text
        })
      for (const tag of ["1", "2"]) yield* registry.load("typed", SampleImage.image(`typed ${tag}`), tag)
      const image = (tag: string) => `${registry.host}/typed:${tag}`
      const manifest = path.join(path.dirname(kubeconfigFile), `${namespace}.yaml`)
      const items = [
        Objects.deployment("web", image("1")),
        Objects.daemonSet("agent", image("1")),
        Objects.statefulSet("db", image("1"))
      ]
      fs.writeFileSync(manifest, items.map((item) => JSON.stringify(item)).join("\n---\n"))

      assert.match(yield* ok("apply", "-f", manifest), /deployment.apps\/web created/)
      assert.match(yield* ok("apply", "-f", manifest), /deployment.apps\/web unchanged/)
      const all = ["deployment/web", "daemonset/agent", "statefulset/db"]
      for (const workload of all) yield* ok("rollout", "status", workload, "--timeout=30s")
      assert.match(yield* ok("get", "deployments", "-o", "wide"), /web +2\/2 +2 +2 .* app .*typed:1 +app=web/)
      assert.match(yield* ok("get", "all"), /statefulset.apps\/db +2\/2/)
      yield* ok("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")

      for (const workload of all) {
        assert.match(yield* ok("set", "image", workload, `app=${image("2")}`), /image updated/)
        yield* ok("rollout", "status", workload, "--timeout=30s")
      }
      const images = yield* ok("get", "pods", "-o", "jsonpath={.items[*].spec.containers[*].image}")
      assert.notInclude(images, image("1"))
      assert.match(yield* ok("describe", "deployment", "web"), /NewReplicaSet: +web-\S+ \(2\/2 replicas created\)/)
      assert.match(yield* ok("describe", "pods", "-l", "app=db"), /Image: +\S+typed:2/)

      assert.match(yield* ok("rollout", "undo", "deployment/web"), /rolled back/)
      yield* ok("rollout", "status", "deployment/web", "--timeout=30s")
      assert.match(yield* ok("get", "deployment", "web", "-o", "yaml"), /image: \S+typed:1/)
      yield* ok("scale", "deployment/web", "--replicas=1")
      yield* ok("label", "deployment/web", "a=b")
      yield* ok("annotate", "deployment/web", "c=d")
      yield* ok("patch", "deployment/web", "--type=json", `-p=[{"op":"test","path":"/metadata/labels/a","value":"b"}]`)
      const lost = yield* run(
        "patch",
        "deployment/web",
        "--type=json",
        `-p=[{"op":"test","path":"/metadata/labels/a","value":"x"}]`
      )
      assert.strictEqual(lost.code, 1)
      assert.strictEqual((yield* ok("auth", "can-i", "list", "pods")).trim(), "yes")
      assert.match(yield* ok("get", "events"), /Pulled/)
      const flags = ["--server-side", "--force-conflicts", "-f", manifest]
      assert.match(yield* ok("apply", ...flags), /deployment.apps\/web serverside-applied/)
      assert.match(yield* ok("delete", "-f", manifest, "--timeout=30s"), /"web" deleted/)
      assert.match((yield* run("get", "deployment", "web")).text, /deployments.apps "web" not found/)
    }))

  it.effect("kubectl is told what is wrong in the same words", () =>
    Effect.gen(function*() {
      const namespace = yield* ControlPlane.namespace
      const run = yield* commands(binary, namespace)
      const missing = yield* run("get", "pod", "none")
      assert.strictEqual(missing.text.trim(), `Error from server (NotFound): pods "none" not found`)
      const create = run("run", "p", "--image=app:1", `--overrides={"spec":{"schedulerName":"nobody"}}`)
      yield* create
      assert.strictEqual((yield* create).text.trim(), `Error from server (AlreadyExists): pods "p" already exists`)
      const fixed = yield* run(
        "patch",
        "pod/p",
        "--type=json",
        `-p=[{"op":"replace","path":"/spec/nodeName","value":"x"}]`
      )
      assert.match(fixed.text, /pod updates may not change fields other than/)
    }))
}
