// A real Kubernetes control plane from the binaries of one folder (the envtest convention, KUBEBUILDER_ASSETS): etcd and
// kube-apiserver with RBAC and ServiceAccount admission; controller manager and scheduler where their binaries are.
// Processes of this machine on free loopback ports; state in a temporary folder; all of it gone with the scope.
import { Data, Effect, Redacted, Schedule } from "effect"
import type { Scope } from "effect"
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { generateKeyPairSync } from "node:crypto"
import * as fs from "node:fs"
import * as https from "node:https"
import * as http from "node:http"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { kubeconfig } from "./cluster/Kubeconfig.ts"
import { randomHex } from "./Random.ts"

/** A component is missing, or did not get ready in time. The detail ends with the last lines of its log. */
export class ControlPlaneError extends Data.TaggedError("ControlPlaneError")<{
  readonly component: string
  readonly detail: string
}> {
  override get message() {
    return `${this.component} of the real control plane: ${this.detail}`
  }
}

export interface RealControlPlaneOptions {
  /** Folder with etcd, kube-apiserver and, maybe, kube-controller-manager, kube-scheduler and kubectl. */
  readonly assets: string
  /** Start no controller manager and no scheduler even where they are. */
  readonly bare?: boolean
}

export interface RealControlPlane {
  /** "https://127.0.0.1:<port>" */
  readonly url: string
  /** PEM. */
  readonly ca: string
  readonly adminToken: Redacted.Redacted
  /** A kubeconfig for the administrator, or for another token. */
  readonly kubeconfig: (token?: Redacted.Redacted) => string
  readonly hasControllerManager: boolean
  readonly hasScheduler: boolean
  /** Path of kubectl; undefined where there is none. */
  readonly kubectl: string | undefined
}

const freePorts = (count: number): Effect.Effect<ReadonlyArray<number>> =>
  Effect.callback<ReadonlyArray<number>>((resume) => {
    // All are held at once, so that no two are the same.
    const servers = Array.from({ length: count }, () => net.createServer())
    let open = count
    for (const server of servers) {
      server.listen(0, "127.0.0.1", () => {
        open--
        if (open > 0) return
        const ports = servers.map((it) => {
          const address = it.address()
          return typeof address === "object" && address !== null ? address.port : 0
        })
        let closing = count
        for (const it of servers) it.close(() => --closing === 0 && resume(Effect.succeed(ports)))
      })
    }
  })

/** True for an answer with status 200. */
const answers = (url: string, ca: string | undefined): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const onResponse = (response: http.IncomingMessage) => {
      response.resume()
      resume(Effect.succeed(response.statusCode === 200))
    }
    const request = ca === undefined ? http.get(url, onResponse) : https.get(url, { ca }, onResponse)
    request.setTimeout(2000, () => request.destroy()).on("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => request.destroy())
  })

const stopped = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })

const stop = (child: ChildProcess): Effect.Effect<void> =>
  Effect.sync(() => child.kill("SIGTERM")).pipe(
    Effect.andThen(stopped(child)),
    Effect.timeoutOrElse({
      duration: "5 seconds",
      orElse: () => Effect.sync(() => child.kill("SIGKILL")).pipe(Effect.andThen(stopped(child)))
    })
  )

/** Starts it all and waits until it serves. */
export const make = Effect.fnUntraced(function*(
  options: RealControlPlaneOptions
): Effect.fn.Return<RealControlPlane, ControlPlaneError, Scope.Scope> {
  const binary = (name: string) => path.join(options.assets, name)
  const has = (name: string) => fs.existsSync(binary(name))
  for (const component of ["etcd", "kube-apiserver"]) {
    if (!has(component)) {
      return yield* new ControlPlaneError({ component, detail: `there is none in ${options.assets}` })
    }
  }
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "image-cloner-control-plane-"))),
    (it) => Effect.sync(() => fs.rmSync(it, { recursive: true, force: true }))
  )
  const at = (name: string) => path.join(folder, name)
  const [client = 0, peer = 0, api = 0, manager = 0, scheduler = 0] = yield* freePorts(5)
  const adminToken = Redacted.make(yield* randomHex(32))
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  fs.writeFileSync(at("sa.key"), privateKey.export({ type: "pkcs1", format: "pem" }), { mode: 0o600 })
  fs.writeFileSync(at("tokens.csv"), `${Redacted.value(adminToken)},admin,admin,"system:masters"\n`, { mode: 0o600 })
  const etcdUrl = `http://127.0.0.1:${client}`
  const url = `https://127.0.0.1:${api}`

  const start = (name: string, flags: ReadonlyArray<string>) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const log = fs.openSync(at(`${name}.log`), "w")
        const child = spawn(binary(name), flags, { stdio: ["ignore", log, log], cwd: folder })
        // Without a listener a binary that cannot be run would end this process.
        child.on("error", (error) => fs.appendFileSync(at(`${name}.log`), String(error)))
        fs.closeSync(log)
        return child
      }),
      stop
    )
  const whenReady = (component: string, ready: Effect.Effect<boolean>) =>
    ready.pipe(
      Effect.repeat({ schedule: Schedule.spaced("100 millis"), until: (it) => it }),
      Effect.timeoutOrElse({
        duration: "60 seconds",
        orElse: () =>
          Effect.suspend(() => {
            const log = fs.readFileSync(at(`${component}.log`), "utf8").trimEnd().split("\n").slice(-5).join("\n")
            return Effect.fail(new ControlPlaneError({ component, detail: `not ready after 60 s:\n${log}` }))
          })
      })
    )

  yield* start("etcd", [
    `--data-dir=${at("etcd")}`,
    "--unsafe-no-fsync",
    `--listen-client-urls=${etcdUrl}`,
    `--advertise-client-urls=${etcdUrl}`,
    `--listen-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-cluster=default=http://127.0.0.1:${peer}`
  ])
  yield* whenReady("etcd", answers(`${etcdUrl}/health`, undefined))
  yield* start("kube-apiserver", [
    `--etcd-servers=${etcdUrl}`,
    // Without certificates of its own it makes one for its address, which is its CA as well.
    `--cert-dir=${at("certs")}`,
    "--bind-address=127.0.0.1",
    `--secure-port=${api}`,
    "--service-cluster-ip-range=10.0.0.0/24",
    "--authorization-mode=RBAC",
    `--token-auth-file=${at("tokens.csv")}`,
    "--allow-privileged=true",
    `--service-account-issuer=${url}/`,
    `--service-account-key-file=${at("sa.key")}`,
    `--service-account-signing-key-file=${at("sa.key")}`
  ])
  const certificate = at("certs/apiserver.crt")
  yield* whenReady(
    "kube-apiserver",
    Effect.suspend(() =>
      fs.existsSync(certificate)
        ? answers(`${url}/readyz`, fs.readFileSync(certificate, "utf8"))
        : Effect.succeed(false)
    )
  )
  const ca = fs.readFileSync(certificate, "utf8")
  const configOf = (token = adminToken) => kubeconfig({ server: url, ca, token })
  fs.writeFileSync(at("kubeconfig"), configOf(), { mode: 0o600 })

  const credentials = ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"]
    .map((it) => `--${it}=${at("kubeconfig")}`)
  const common = [...credentials, "--bind-address=127.0.0.1", "--leader-elect=false", `--cert-dir=${at("certs")}`]
  const hasControllerManager = options.bare !== true && has("kube-controller-manager")
  if (hasControllerManager) {
    yield* start("kube-controller-manager", [
      ...common,
      `--secure-port=${manager}`,
      `--service-account-private-key-file=${at("sa.key")}`,
      `--root-ca-file=${certificate}`,
      "--use-service-account-credentials",
      // The defaults (20 a second) are for a big cluster with many clients.
      "--kube-api-qps=500",
      "--kube-api-burst=1000"
    ])
  }
  const hasScheduler = options.bare !== true && has("kube-scheduler")
  if (hasScheduler) yield* start("kube-scheduler", [...common, `--secure-port=${scheduler}`])
  return {
    url,
    ca,
    adminToken,
    kubeconfig: configOf,
    hasControllerManager,
    hasScheduler,
    kubectl: has("kubectl") ? binary("kubectl") : undefined
  }
})
