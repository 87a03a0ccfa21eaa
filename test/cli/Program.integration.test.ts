// The command line of the bundled program: what it prints where, and how it ends. Scripts depend on both.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Path } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import manifest from "../../package.json" with { type: "json" }
import * as J from "../../sandbox/Json.ts"
import { eventually } from "../support/Eventually.ts"
import { startDaemon } from "../support/Daemon.ts"
import { failure } from "../kube/FakeApi.ts"
import { startServer } from "../support/FakeRegistry.ts"
import { cli, folder, kubeconfig, program } from "./Cli.ts"

const backup = { BACKUP_REGISTRY: "registry.example.com/backup" }

const manifests = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
      - { name: app, image: "nginx:1.27" }
      - { name: copied, image: "registry.example.com/backup/docker.io/library/redis:7" }
`

/** The port of a server that answers every request so; it goes with the scope. */
const server = (status: number, body: unknown) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const it = createServer((_, response) =>
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
      )
      it.listen(0, "127.0.0.1", () => {
        const { port } = it.address() as AddressInfo // a listening TCP server has no other
        resume(Effect.succeed({
          url: `http://127.0.0.1:${port}`,
          close: () => {
            it.closeAllConnections()
            it.close()
          }
        }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

/** Nothing listens there: a port that was free a moment ago could be somebody else's by now, this one is nobody's. */
const deadUrl = "http://127.0.0.1:1"

const forbidden = failure(403, "Forbidden", "deployments.apps is forbidden: User \"u\" cannot list resource")

const misused: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
  [["nosuch"], "nosuch"],
  [["plan", "--nosuch"], "--nosuch"],
  [["plan", "--output", "yaml"], "--output"],
  [["clone"], "REF"]
]

const registries: ReadonlyArray<readonly [string, Readonly<Record<string, string>>, RegExp]> = [
  ["missing", {}, /BACKUP_REGISTRY: it is required/],
  ["malformed", { BACKUP_REGISTRY: "https://registry.example.com" }, /BACKUP_REGISTRY: .*scheme/]
]

describe("the program", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect("explains itself on standard output", () =>
      Effect.gen(function*() {
        const help = yield* cli(["--help"])
        assert.deepStrictEqual([help.code, help.stderr], [0, ""])
        for (
          const word of [
            "run ",
            "clone ",
            "plan ",
            "explain ",
            "status ",
            "verify ",
            "--kubeconfig",
            "--context",
            "--config"
          ]
        ) {
          assert.include(help.stdout, word)
        }
        const plan = yield* cli(["plan", "--help"])
        assert.deepStrictEqual([plan.code, plan.stderr], [0, ""])
        const words = [
          "--filename",
          "-f",
          "--recursive",
          "--namespace",
          "--check",
          "--exit-code",
          "--strict",
          "--output"
        ]
        for (const word of words) assert.include(plan.stdout, word)
        const version = yield* cli(["--version"])
        assert.deepStrictEqual(version, { code: 0, stderr: "", stdout: `image-cloner ${manifest.version}\n` })
      }))

    it.effect.each(misused)(
      "ends with 2 and one line on standard error for %j",
      ([args, named]) =>
        Effect.gen(function*() {
          const it = yield* cli(args)
          assert.strictEqual(it.code, 2)
          assert.strictEqual(it.stdout, "")
          assert.include(it.stderr, named)
          assert.match(it.stderr, /\nSee 'image-cloner[a-z ]* --help'\.\n$/)
        })
    )

    it.effect.each(["bash", "zsh", "fish"])("writes completions for %s", (shell) =>
      Effect.gen(function*() {
        const it = yield* cli(["--completions", shell])
        assert.deepStrictEqual([it.code, it.stderr], [0, ""])
        for (const word of ["plan", "clone", "kubeconfig"]) assert.include(it.stdout, word)
      }))

    it.effect("says in one sentence that the Node.js is too old", () =>
      Effect.gen(function*() {
        const old = `Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.20.2"}})`
        const it = yield* cli(["--version"], { node: ["--import", `data:text/javascript,${old}`] })
        assert.deepStrictEqual([it.code, it.stdout], [1, ""])
        assert.match(it.stderr, /^image-cloner needs Node\.js 22\.19 or newer; .*\n$/)
      }))
  })
})

/** Starts the program, waits until `begun`, sends the signal and answers the exit code. */
const signalled = Effect.fnUntraced(function*(
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  begun: Effect.Effect<void>,
  signal: "SIGINT" | "SIGTERM"
) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const child = yield* spawner.spawn(ChildProcess.make(process.execPath, [program, ...args], {
    env: { HOME: yield* folder({}), ...env },
    extendEnv: false,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore"
  }))
  yield* begun
  process.kill(child.pid, signal)
  return Number(yield* child.exitCode)
})

describe("a signal", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect.each(
      [
        ["clone", "SIGINT", 130],
        ["clone", "SIGTERM", 130],
        ["verify", "SIGTERM", 130],
        ["run", "SIGTERM", 0],
        ["run", "SIGINT", 0]
      ] as const
    )(
      "in the middle of %s, %s, ends it with %i",
      ([command, signal, expected]) =>
        Effect.gen(function*() {
          const asked = yield* Deferred.make<void>()
          // whoever is asked, the registry or the API server: there is no answer
          const { host } = yield* startServer(() => Deferred.doneUnsafe(asked, Effect.void))
          const env = { BACKUP_REGISTRY: `${host}/copies`, PLAIN_HTTP_REGISTRIES: host, HTTP_PORT: "0" }
          const path = yield* Path.Path
          const config = path.join(yield* folder({ config: kubeconfig(`http://${host}`) }), "config")
          const args = command === "run" ? ["--kubeconfig", config] : ["127.0.0.1:1/app:1"]
          assert.strictEqual(yield* signalled([command, ...args], env, Deferred.await(asked), signal), expected)
        }),
      30_000
    )
  })
})

describe("plan of manifests", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect("is a table for people, from a file and from standard input", () =>
      Effect.gen(function*() {
        const path = yield* Path.Path
        const file = path.join(yield* folder({ "all.yaml": manifests }), "all.yaml")
        const it = yield* cli(["plan", "-f", file], { env: backup })
        assert.deepStrictEqual([it.code, it.stderr], [0, ""])
        assert.match(it.stdout, /^NAMESPACE +WORKLOAD +CONTAINER +IMAGE +ACTION +WHY OR WHERE TO\n/)
        const copy = "registry\\.example\\.com/backup/docker\\.io/library/nginx:1\\.27"
        assert.match(it.stdout, new RegExp(`shop +Deployment/web +app +nginx:1\\.27 +rewrite +${copy}\n`))
        assert.include(it.stdout, "already-backup")
        assert.match(it.stdout, /\n1 image to clone; containers: 1 to rewrite, .* 1 done, 0 left alone\n$/)
        assert.deepStrictEqual(yield* cli(["plan", "-f", "-"], { env: backup, stdin: manifests }), it)
      }))

    it.effect("is JSON for scripts, with an exit code when they ask for one", () =>
      Effect.gen(function*() {
        const it = yield* cli(["plan", "-f", "-", "-o", "json", "--exit-code"], { env: backup, stdin: manifests })
        assert.strictEqual(it.code, 2)
        const report = J.parse(it.stdout)
        assert.deepStrictEqual(J.object(J.isObject(report) ? report : {}, "summary"), {
          rewrite: 1,
          admission: 0,
          clone: 0,
          done: 1,
          leave: 0
        })
        const done = yield* cli(["plan", "-f", "-", "--exit-code"], {
          env: backup,
          stdin: manifests.replace("nginx:1.27", "registry.example.com/backup/docker.io/library/nginx:1.27")
        })
        assert.deepStrictEqual([done.code, done.stderr], [0, ""])
      }))

    it.effect("takes the common flags before and after the command", () =>
      Effect.gen(function*() {
        const settings = yield* folder({ ...backup, IMAGES_TO_IGNORE: "docker.io/library/nginx*" })
        const after = yield* cli(["plan", "-f", "-", "--config", settings], { stdin: manifests })
        const before = yield* cli(["--config", settings, "plan", "-f", "-"], { stdin: manifests })
        assert.strictEqual(after.code, 0)
        assert.include(after.stdout, "image-ignored")
        assert.deepStrictEqual(before, after)
        const overridden = yield* cli(["--config", settings, "plan", "-f", "-"], {
          stdin: manifests,
          env: { IMAGES_TO_IGNORE: "none.example/**" }
        })
        assert.notInclude(overridden.stdout, "image-ignored")
      }))

    it.effect("names the file that cannot be read", () =>
      Effect.gen(function*() {
        const absent = yield* cli(["plan", "-f", "/nowhere/x.yaml"], { env: backup })
        assert.deepStrictEqual(absent, {
          code: 1,
          stdout: "",
          stderr: "error: /nowhere/x.yaml cannot be read: there is no such file\n"
        })
        const broken = yield* cli(["plan", "-f", "-"], { env: backup, stdin: "a: [" })
        assert.strictEqual(broken.code, 1)
        assert.include(broken.stderr, "cannot be read as Kubernetes manifests")
      }))

    it.effect("plans what it can read, says what it cannot, and ends with 1", () =>
      Effect.gen(function*() {
        const path = yield* Path.Path
        const place = yield* folder({
          "a.yaml": manifests,
          "b.yml": "kind: Pod\napiVersion: v1\nmetadata:\n  name: x\n  labels: {a: yes}\n",
          "c.json": "{\"a\":1,\"a\":2"
        })
        const it = yield* cli(["plan", "-f", place, "-f", "/nowhere,https://example.com/a.yaml", "--exit-code"], {
          env: backup
        })
        assert.strictEqual(it.code, 1)
        assert.match(it.stdout, /shop +Deployment\/web +app +nginx:1\.27 +rewrite/)
        const said = it.stderr.split("\n").filter((line) => line !== "")
        for (const line of said) assert.match(line, /^error: /)
        for (
          const text of ["b.yml:5: Pod x: metadata.labels.a", "c.json:1:", "/nowhere cannot be read", "curl --fail"]
        ) {
          assert.include(it.stderr, text)
        }
        const named = yield* cli(["plan", "-f", path.join(place, "a.*"), "-o", "name"], { env: backup })
        assert.deepStrictEqual([named.code, named.stderr], [0, ""])
        assert.include(named.stdout, "Deployment/shop/web\n")
      }))

    it.effect("fits what COLUMNS says, and counts what nobody handles where it is asked to be strict", () =>
      Effect.gen(function*() {
        const rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\n"
          + "spec: {template: {spec: {containers: [{name: c, image: nginx}]}}}\n"
        const env = { ...backup, COLUMNS: "80" }
        const it = yield* cli(["plan", "-f", "-", "--exit-code"], { env, stdin: rollout })
        assert.deepStrictEqual([it.code, it.stderr], [0, ""])
        assert.include(it.stdout, "not handled: nginx in standard input:4: Rollout/default/web")
        for (const line of it.stdout.split("\n")) assert.isAtMost(line.length, 80)
        const strict = yield* cli(["plan", "-f", "-", "--exit-code", "--strict"], { env, stdin: rollout })
        assert.strictEqual(strict.code, 2)
        const empty = yield* cli(["plan", "-f", "-"], { env, stdin: "# nothing\n" })
        assert.deepStrictEqual([empty.code, empty.stderr], [1, "error: there are no objects in -\n"])
      }))
  })
})

describe("wrong settings", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect.each(registries)(
      "are all named in one error, BACKUP_REGISTRY %s among them",
      ([, env, problem]) =>
        Effect.gen(function*() {
          const config = yield* folder({ MAX_CONCURRENT_RECONCILES: "many", MAX_CLONES: "3" })
          const docker = yield* folder({ "config.json": "{\"auths\":" })
          const it = yield* cli(["run", "--config", config], { env: { ...env, DOCKER_CONFIG: docker } })
          assert.deepStrictEqual([it.code, it.stdout], [1, ""])
          assert.match(it.stderr, /^error: 4 settings are wrong:\n/)
          assert.match(it.stderr, problem)
          assert.match(it.stderr, /MAX_CONCURRENT_RECONCILES: "many" is not allowed; allowed is an integer/)
          assert.match(it.stderr, /MAX_CLONES: there is no such setting/)
          assert.match(it.stderr, /config\.json: it is not docker's JSON/)
        })
    )

    it.effect("of the environment do not spoil what the command line says", () =>
      Effect.gen(function*() {
        const bad = yield* cli(["clone", "nginx", "--to", "bad"], { env: backup })
        assert.strictEqual(bad.code, 1)
        assert.match(bad.stderr, /^error: 1 setting is wrong:\n {2}BACKUP_REGISTRY: "bad" is not a backup registry/)
        const dry = yield* cli(["clone", "nginx", "--to", "registry.example.com/x"], {
          env: { BACKUP_REGISTRY: "bad", DRY_RUN: "true" }
        })
        assert.deepStrictEqual(dry, {
          code: 0,
          stderr: "",
          stdout: "docker.io/library/nginx:latest would be copied to registry.example.com/x\n"
        })
      }))
  })
})

describe("a cluster that is not to be had", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect.each(["plan", "run"])(
      "because nothing names one is one sentence of %s",
      (command) =>
        Effect.gen(function*() {
          const it = yield* cli([command], { env: { ...backup, HTTP_PORT: "0" } })
          assert.strictEqual(it.code, 1)
          assert.match(it.stderr, /^error: there is no cluster to speak to: .* name a kubeconfig with --kubeconfig\n$/)
        })
    )

    it.effect("because the kubeconfig or its context is not there names it", () =>
      Effect.gen(function*() {
        const file = yield* cli(["plan", "--kubeconfig", "/nowhere/config"], { env: backup })
        assert.strictEqual(file.code, 1)
        assert.match(file.stderr, /^error: \/nowhere\/config cannot be used: .*\n$/)
        const path = yield* Path.Path
        const config = path.join(yield* folder({ config: kubeconfig(deadUrl) }), "config")
        const context = yield* cli(["plan", "--kubeconfig", config, "--context", "other"], { env: backup })
        assert.strictEqual(context.code, 1)
        assert.match(context.stderr, /^error: .* there is no context other; there are: x\n$/)
      }))

    it.effect("because everything is forbidden is one sentence of plan", () =>
      Effect.gen(function*() {
        const path = yield* Path.Path
        const { url } = yield* server(403, forbidden)
        const config = path.join(yield* folder({ config: kubeconfig(url) }), "config")
        const it = yield* cli(["plan", "--kubeconfig", config], { env: backup })
        assert.deepStrictEqual([it.code, it.stdout], [1, ""])
        assert.match(it.stderr, /^error: the API server lets us see no workloads at all: .*ClusterRole.*\n$/)
      }))

    it.effect("because the server is dead is one sentence of plan, with what to look at", () =>
      Effect.gen(function*() {
        const path = yield* Path.Path
        const config = path.join(yield* folder({ config: kubeconfig(deadUrl) }), "config")
        const it = yield* cli(["plan", "--kubeconfig", config], { env: backup })
        assert.deepStrictEqual([it.code, it.stdout], [1, ""])
        assert.match(it.stderr, /^error: GET \/api\S*: Unreachable .*is the API server running and reachable.*\n$/)
      }), 30_000)

    it.effect(
      "because the server is dead is tried again by run, alive and not ready meanwhile",
      () =>
        Effect.gen(function*() {
          const it = yield* startDaemon({ kubeconfig: kubeconfig(deadUrl), settings: backup })
          yield* eventually(
            "the cluster counts as known",
            it.http("/readyz"),
            (text) => text.includes("[-]cluster failed: not all kinds have been seen yet")
          )
          const restarts = `image_cloner_watch_restarts_total{resource="pods",reason="unavailable"}`
          yield* eventually("the watch is not tried again", it.metric(restarts), (count) => count >= 2)
          assert.include(yield* it.http("/healthz"), "healthz check passed")
          assert.include(yield* it.http("/readyz"), "readyz check failed")
          const said = it.log.filter((line) => /ECONNREFUSED|Unreachable/.test(J.text(line, "message") ?? ""))
          assert.isAbove(said.length, 0)
        }),
      60_000
    )
  })
})
