// The explain command of the bundled program against the bundled daemon: at its own address, through the service proxy of a real API
// server, and without the daemon, when the cluster and the backup alone can tell.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { networkInterfaces } from "node:os"
import * as J from "../../sandbox/Json.ts"
import * as SampleImage from "../../sandbox/registry/SampleImage.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { cli } from "../cli/Cli.ts"
import type { Daemon } from "../support/Daemon.ts"
import { eventually } from "../support/Eventually.ts"
import { copyOf, daemon, namespace, Stage, stage, user as userOf } from "../support/Stage.ts"
import * as W from "../support/World.ts"

const portOf = (it: Daemon) =>
  eventually(
    "the daemon does not listen",
    () =>
      it.log.map((line) => /^metrics.*:(\d+)$/.exec(J.text(line, "message") ?? "")?.[1]).find((port) =>
        port !== undefined
      ),
    (port) => port !== undefined
  )

/** An address of this machine that an API server's proxy takes: not loopback. */
const address = Object.values(networkInterfaces()).flat().find((it) => it?.family === "IPv4" && !it.internal)?.address

const request = (method: "POST" | "PATCH", path: string, body: unknown) =>
  KubeClient.use((client) =>
    client.request({
      method,
      path,
      body,
      ...(method === "PATCH" ? { contentType: "application/merge-patch+json" } : {})
    })
  )

/** A Service as manifests/ has it, whose only endpoint is a pod that says it has this machine's address: the proxy asks for one. */
const serve = Effect.fnUntraced(function*(where: string, ip: string, port: number) {
  const api = `/api/v1/namespaces/${where}`
  const meta = { name: "image-cloner-controller" }
  yield* request("POST", `${api}/services`, {
    apiVersion: "v1",
    kind: "Service",
    metadata: meta,
    spec: { ports: [{ name: "http", port: 8080, targetPort: port }] }
  })
  const spec = { schedulerName: "nobody", containers: [{ name: "app", image: "controller:1" }] }
  yield* request("POST", `${api}/pods`, { apiVersion: "v1", kind: "Pod", metadata: meta, spec })
  yield* request("PATCH", `${api}/pods/${meta.name}/status`, {
    status: { phase: "Running", podIP: ip, podIPs: [{ ip }] }
  })
  const targetRef = { kind: "Pod", namespace: where, name: meta.name }
  yield* request("POST", `${api}/endpoints`, {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: meta,
    subsets: [{ addresses: [{ ip, targetRef }], ports: [{ name: "http", port }] }]
  })
})

for (const place of W.nearest) {
  describe(`explain, on ${place.name}`, () => {
    it.layer(stage(place.start), { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect(
        "tells what the controller knows of a workload and an image, and what helps where nothing is known",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const image = `${stageNow.upstream.host}/one/app:1`
            yield* stageNow.upstream.load("one/app", SampleImage.image("one app"), "1")
            yield* namespace("shop")
            yield* namespace("image-cloner")
            yield* W.make("Deployment", { namespace: "shop", name: "web", image })
            yield* W.settled("shop", "web")
            // one that is made so gets no pods
            yield* W.jsonPatch("kubectl-patch", "Deployment", "shop", "web", [
              { op: "add", path: "/spec/paused", value: true }
            ])
            yield* W.makeCronJob("shop", "web", image)
            const running = yield* daemon(["shop"])
            const port = Number(yield* portOf(running))
            const env = yield* userOf
            const ask = (...args: ReadonlyArray<string>) =>
              cli(["explain", ...args, "--url", `http://127.0.0.1:${port}`], { env })
            const paused = yield* eventually(
              "it is not explained",
              ask("deploy/web", "-n", "shop"),
              (said) => said.stdout.includes("held, paused")
            )
            assert.deepStrictEqual([paused.code, paused.stderr], [0, ""])
            for (
              const part of [
                "Deployment/shop/web: held, paused\n",
                "somebody has paused the Deployment",
                /since {6}\d\d:\d\d:\d\d UTC/,
                /→ .*one\/app:1, whole \d+s ago/,
                "kubectl -n shop rollout resume deployment/web"
              ]
            ) {
              if (typeof part === "string") assert.include(paused.stdout, part)
              else assert.match(paused.stdout.replaceAll(/\n +/g, " "), part)
            }
            const lines = paused.stdout.trimEnd().split("\n")
            assert.isBelow(lines.length, 24)
            for (const line of lines) assert.isAtMost(line.length, 80)

            const copy = copyOf(stageNow, "one/app", "1")
            for (const name of [image, copy]) {
              const said = yield* ask(name)
              assert.strictEqual(said.code, 0, said.stderr)
              assert.include(said.stdout, `${image}: backed-up\n`)
              assert.include(said.stdout, "Deployment/shop/web")
              assert.match(said.stdout, /next {7}its copy is looked at/)
            }
            // how much is in the backup: the controller's word, and what the cluster and the backup show, which is the same
            const status = (...args: ReadonlyArray<string>) => cli(["status", ...args], { env })
            const url = ["--url", `http://127.0.0.1:${port}`]
            const counted = yield* eventually(
              "the copy is not counted",
              status("-o", "json", ...url),
              (it) => J.text(J.parse(it.stdout) ?? null, "by") === "controller" && it.stdout.includes("\"ratio\": 1")
            )
            const alone = yield* status("-o", "json", "--controller-namespace", "nowhere")
            assert.strictEqual(alone.code, 0, alone.stderr)
            assert.match(alone.stderr, /^the controller could not be asked: /)
            assert.deepStrictEqual(
              J.at(J.parse(alone.stdout) ?? null, "namespaces"),
              J.at(J.parse(counted.stdout) ?? null, "namespaces")
            )
            const screen = yield* status("--min", "95", ...url)
            assert.deepStrictEqual([screen.code, screen.stderr], [0, ""])
            for (const line of screen.stdout.split("\n")) assert.isAtMost(line.length, 80)

            assert.strictEqual(
              J.text(J.parse((yield* ask("deploy", "web", "-n", "shop", "-o", "json")).stdout) ?? null, "reason"),
              "paused"
            )

            const wrong = [
              [["Service/shop/web"], /there is no kind "Service"/],
              [["deploy/api", "-n", "shop"], /there is no Deployment api in namespace shop/],
              [["deploy/web"], /there is no Deployment web in namespace default\n +Cron/],
              [["web", "-n", "shop"], /2 objects in namespace shop are called web: name one\n +CronJob\/shop\/web/],
              [[`${stageNow.upstream.host}/one/app:2`], /nothing in the cluster uses .*\n.*in use/]
            ] as const
            for (const [args, message] of wrong) {
              const said = yield* ask(...args)
              assert.deepStrictEqual([said.code, said.stdout], [1, ""], args.join(" "))
              assert.match(said.stderr, message)
            }

            if (place.name === "a real control plane" && address !== undefined) {
              yield* serve("image-cloner", address, port)
              const through = yield* cli(["explain", "Deployment/shop/web"], { env })
              assert.deepStrictEqual([through.stderr, through.code], ["", 0])
              assert.include(through.stdout, "Deployment/shop/web: held, paused\n")
              assert.notInclude(through.stdout, "was not asked")
            }
          }),
        120_000
      )

      it.effect(
        "says why the controller could not be asked, and tells what the cluster and the backup show",
        () =>
          Effect.gen(function*() {
            const stageNow = yield* Stage
            const env = yield* userOf
            yield* stageNow.upstream.load("one/other", SampleImage.image("one other"), "1")
            yield* namespace("alone")
            const image = `${stageNow.upstream.host}/one/other:1`
            yield* W.make("Deployment", { namespace: "alone", name: "web", image })
            yield* W.settled("alone", "web")
            const said = yield* cli(["explain", "deploy/web", "-n", "alone", "--controller-namespace", "nowhere"], {
              env
            })
            assert.strictEqual(said.code, 0, said.stderr)
            assert.match(said.stderr, /^the controller could not be asked: .*--controller-namespace/)
            assert.include(said.stdout, "Deployment/alone/web: held, pending\n")
            assert.include(said.stdout, "the controller was not asked")
            const little = yield* cli(["status", "--min", "95", "--controller-namespace", "nowhere"], { env })
            assert.strictEqual(little.code, 1)
            assert.match(little.stderr, /of the pods have their copies, less than --min 95/)
            assert.include(little.stdout, image)
            const down = yield* cli(["explain", image, "--url", "http://127.0.0.1:9"], { env })
            assert.match(down.stderr, /could not be asked: nothing answers at http:\/\/127\.0\.0\.1:9/)
            assert.include(down.stdout, `${image}: pending\n`)
            assert.include(down.stdout, "Deployment/alone/web")
            const gone = yield* cli(["explain", "deploy/nosuch", "-n", "alone", "--controller-namespace", "nowhere"], {
              env
            })
            assert.deepStrictEqual([gone.code, gone.stdout], [1, ""])
            assert.include(gone.stderr, "there is no Deployment nosuch in namespace alone")
          }),
        120_000
      )
    })
  })
}
