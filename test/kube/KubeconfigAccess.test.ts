import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"
import * as http from "node:http"
import * as https from "node:https"
import { type AddressInfo, connect } from "node:net"
import type { Duplex } from "node:stream"
import { KubeClient, type KubeRequest } from "../../src/kube/KubeClient.ts"
import { fromKubeconfig } from "../../src/kube/KubeconfigAccess.ts"
import { makeCertificates } from "./Certificates.ts"
import { authorization, fakeApi, json, refuse, testing } from "./FakeApi.ts"

const get: KubeRequest = { method: "GET", path: "/api/v1/things" }
const ok = json(200, { kind: "Thing" })
const platform = Layer.merge(testing, NodeFileSystem.layer)

/** A plugin that counts its runs and gives the token of that number. */
const pluginIn = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const script = `${folder}/plugin`
  yield* fs.writeFileString(
    script,
    `#!/bin/sh
echo "$KUBERNETES_EXEC_INFO" >> ${folder}/runs
runs=0; while read -r _; do runs=$((runs + 1)); done < ${folder}/runs
echo '{"kind":"ExecCredential","status":{"token":"token-'$runs'"}}'
`
  )
  yield* fs.chmod(script, 0o755)
  return script
})

/** The port that the server listens on as long as the scope lives. */
const listen = (server: http.Server | https.Server) =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      // a listening TCP server has an address that is no string
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
    }),
    () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )

/** A kubeconfig in a folder of its own. */
const kubeconfig = Effect.fnUntraced(function*(cluster: object, user: object) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped()
  const file = `${folder}/config`
  const write = (next: object) =>
    // JSON is YAML
    fs.writeFileString(
      file,
      JSON.stringify({
        clusters: [{ name: "c", cluster }],
        users: [{ name: "u", user: next }],
        contexts: [{ name: "main", context: { cluster: "c", user: "u" } }, {
          name: "lost",
          context: { cluster: "x", user: "u" }
        }],
        "current-context": "main"
      })
    )
  yield* write(user)
  return { file, folder, write }
})

describe("a kubeconfig", () => {
  it.live("gives its token, and a new one after a 401", () =>
    Effect.gen(function*() {
      const api = yield* fakeApi([
        ok,
        refuse(401, "Unauthorized"),
        ok,
        refuse(401, "Unauthorized"),
        refuse(401, "Unauthorized")
      ])
      const { file, write } = yield* kubeconfig({ server: api.server }, { token: "first" })
      yield* Effect.gen(function*() {
        const client = yield* KubeClient
        yield* client.request(get)
        yield* write({ token: "second" })
        yield* client.request(get)
        const error = yield* Effect.flip(client.request(get))
        assert.strictEqual(error.reason, "Unauthorized")
        assert.match(error.message, /credentials are not valid/)
      }).pipe(Effect.provide(KubeClient.layer({ kubeconfig: file })))
      assert.deepStrictEqual(api.calls.map((it) => it.headers["authorization"]), [
        "Bearer first",
        "Bearer first",
        "Bearer second",
        "Bearer second",
        "Bearer second"
      ])
    }).pipe(Effect.provide(platform)))

  it.live("gives name and password", () =>
    Effect.gen(function*() {
      const { file } = yield* kubeconfig({ server: "http://localhost" }, { username: "me", password: "secret" })
      const access = yield* (yield* fromKubeconfig({ kubeconfig: file })).access
      assert.strictEqual(authorization(access), `Basic ${Buffer.from("me:secret").toString("base64")}`)
      assert.notInclude(JSON.stringify(access), "secret")
    }).pipe(Effect.provide(platform)))

  it.live("runs its plugin, tells it what is asked, and runs it again after a 401", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const api = yield* fakeApi([ok, ok, refuse(401, "Unauthorized"), ok])
      const { file, folder, write } = yield* kubeconfig({ server: api.server }, {})
      const script = yield* pluginIn(folder)
      yield* write({
        exec: { apiVersion: "client.authentication.k8s.io/v1", command: script, provideClusterInfo: true }
      })
      yield* KubeClient.use((client) => Effect.replicateEffect(client.request(get), 3)).pipe(
        Effect.provide(KubeClient.layer({ kubeconfig: file }))
      )
      assert.deepStrictEqual(api.calls.map((it) => it.headers["authorization"]), [
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-1",
        "Bearer token-2"
      ])
      const [info = ""] = (yield* fs.readFileString(`${folder}/runs`)).split("\n")
      const { kind, spec } = JSON.parse(info)
      assert.deepStrictEqual([kind, spec.cluster.server], ["ExecCredential", api.server])
    }).pipe(Effect.provide(platform)))

  it.live("runs its plugin once for many requests that are refused with one token", () =>
    Effect.gen(function*() {
      // one refusal after the other: most arrive when there is a new token already
      const refusals = Array.from({ length: 30 }, (_, index): typeof ok => (call, response) => {
        const fresh = call.headers["authorization"] === "Bearer token-2"
        setTimeout(() => (fresh ? ok : refuse(401, "Unauthorized"))(call, response), 20 * index)
      })
      const api = yield* fakeApi(refusals)
      const { file, folder, write } = yield* kubeconfig({ server: api.server }, {})
      const exec = { apiVersion: "client.authentication.k8s.io/v1", command: yield* pluginIn(folder) }
      yield* write({ exec })
      const answers = yield* KubeClient.use((client) =>
        Effect.all(Array.from({ length: 10 }, () => client.request(get)), { concurrency: "unbounded" })
      ).pipe(Effect.provide(KubeClient.layer({ kubeconfig: file })))
      assert.lengthOf(answers, 10)
      const runs = yield* (yield* FileSystem.FileSystem).readFileString(`${folder}/runs`)
      assert.lengthOf(runs.trim().split("\n"), 2)
    }).pipe(Effect.provide(platform)))

  it.live("gives client certificates, authority and server name for TLS", () =>
    Effect.gen(function*() {
      const { ca, client, server } = yield* Effect.promise(makeCertificates)
      const tls = https.createServer({ ...server, ca, requestCert: true, rejectUnauthorized: true }, (_, response) => {
        response.end("{\"kind\":\"Thing\"}")
      })
      const url = `https://127.0.0.1:${yield* listen(tls)}`
      const base64 = (pem: string) => Buffer.from(pem).toString("base64")
      const user = { "client-certificate-data": base64(client.cert), "client-key-data": base64(client.key) }
      const ask = Effect.fnUntraced(function*(cluster: object, who: object) {
        const { file } = yield* Effect.orDie(kubeconfig({ server: url, ...cluster }, who))
        return yield* KubeClient.use((it) => it.request(get)).pipe(
          Effect.provide(KubeClient.layer({ kubeconfig: file }))
        )
      })
      const trusted = { "certificate-authority-data": base64(ca) }
      assert.deepStrictEqual(yield* ask(trusted, user), { kind: "Thing" })
      assert.deepStrictEqual(yield* ask({ "insecure-skip-tls-verify": true }, user), { kind: "Thing" })
      const untrusted = yield* Effect.flip(ask({}, user))
      assert.deepStrictEqual([untrusted.reason, untrusted.retryable], ["Unreachable", false])
      const misnamed = yield* Effect.flip(ask({ ...trusted, "tls-server-name": "another.example" }, user))
      assert.match(misnamed.detail, /another\.example/)
      const anonymous = yield* Effect.flip(ask(trusted, { token: "x" }))
      assert.strictEqual(anonymous.reason, "Unreachable")
    }).pipe(Effect.provide(platform)))

  it.live("goes through its proxy, TLS inside", () =>
    Effect.gen(function*() {
      const { ca, server } = yield* Effect.promise(makeCertificates)
      const tls = https.createServer(server, (_, response) => void response.end("{\"kind\":\"Thing\"}"))
      const asked: Array<string | undefined> = []
      const proxy = http.createServer().on("connect", (request: http.IncomingMessage, socket: Duplex) => {
        asked.push(request.url)
        const target = connect(Number(request.url?.split(":")[1]), "127.0.0.1", () => {
          socket.write("HTTP/1.1 200 OK\r\n\r\n")
          target.pipe(socket)
          socket.pipe(target)
        })
        for (const end of [target, socket]) end.on("error", () => undefined)
      })
      const host = `127.0.0.1:${yield* listen(tls)}`
      const { file } = yield* kubeconfig({
        server: `https://${host}`,
        "certificate-authority-data": Buffer.from(ca).toString("base64"),
        "proxy-url": `http://127.0.0.1:${yield* listen(proxy)}`
      }, { token: "x" })
      const answer = yield* KubeClient.use((it) => it.request(get)).pipe(
        Effect.provide(KubeClient.layer({ kubeconfig: file }))
      )
      assert.deepStrictEqual(answer, { kind: "Thing" })
      assert.deepStrictEqual(asked, [host])
    }).pipe(Effect.provide(platform)))

  it.live("reports what is missing by name", () =>
    Effect.gen(function*() {
      const { file } = yield* kubeconfig({ server: "https://localhost" }, {})
      const why = (options: { kubeconfig: string; context?: string }) =>
        Effect.map(Effect.flip(fromKubeconfig(options)), (it) => [it.reason, it.message].join(" "))
      assert.match(yield* why({ kubeconfig: "/nowhere" }), /^Credentials .*\/nowhere.*no such file/)
      assert.match(
        yield* why({ kubeconfig: file, context: "other" }),
        /there is no context other; there are: main, lost/
      )
      assert.match(yield* why({ kubeconfig: file, context: "lost" }), /context lost names the cluster x/)
    }).pipe(Effect.provide(platform)))
})
