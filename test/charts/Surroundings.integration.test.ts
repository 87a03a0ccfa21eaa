// The chart in clusters that are not as the manifests expect them: on the network of the nodes, on other ports, and where the cluster
// itself gives the users (OpenShift). A real API server has the last word on what comes of it.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { join } from "node:path"
import * as J from "../../sandbox/Json.ts"
import { kubectl } from "../deployment/Place.ts"
import { stage } from "../support/Stage.ts"
import * as W from "../support/World.ts"
import { missing, rendered, required, template } from "./Rendering.ts"

const of = (objects: ReadonlyArray<J.JsonObject>, kind: string, name = "image-cloner-controller") =>
  J.object(objects.find((it) => it["kind"] === kind && J.text(it, "metadata", "name") === name), "spec")
const podOf = (objects: ReadonlyArray<J.JsonObject>) => J.object(of(objects, "Deployment"), "template", "spec")

const onNodes = {
  ...required,
  highAvailability: { enabled: true },
  hostNetwork: true,
  admission: { port: 10_260 },
  httpPort: 10_261
}

/** As docs/operations.md has it for OpenShift. */
const ofOpenShift = [
  "--set",
  "podSecurityContext.runAsUser=null,podSecurityContext.runAsGroup=null,podSecurityContext.fsGroup=null"
]

const refused: ReadonlyArray<readonly [string, J.JsonObject, RegExp]> = [
  [
    "two listeners on a port",
    { admission: { enabled: true, port: 8080 } },
    /admission\.port and httpPort are the same/
  ],
  ["the kubelet's port", { ...onNodes, admission: { port: 10_250 } }, /port 10250 of every node is its kubelet's/],
  ["no port", { httpPort: 0 }, /httpPort/],
  ["a port that there is not", { admission: { port: 65_536 } }, /admission.*port/],
  ["names that nobody answers", { dnsPolicy: "None" }, /dnsPolicy/],
  ["a user in words", { podSecurityContext: { runAsUser: "nobody" } }, /runAsUser/]
]

describe.skipIf(missing !== "")(`the chart in other surroundings${missing}`, () => {
  it.layer(NodeServices.layer)((it) => {
    it.effect("listens on the ports that are given, and says them to whoever asks there", () =>
      Effect.gen(function*() {
        const objects = yield* rendered({ ...onNodes, hostNetwork: false })
        const container = J.object(podOf(objects), "containers", 0)
        const env = J.list(container, "env")
        assert.deepInclude(env, { name: "WEBHOOK_PORT", value: "10260" })
        assert.deepInclude(env, { name: "HTTP_PORT", value: "10261" })
        assert.deepStrictEqual(J.at(container, "ports"), [
          { name: "webhook", containerPort: 10_260 },
          { name: "http", containerPort: 10_261 }
        ])
        const annotations = J.texts(of(objects, "Deployment"), "template", "metadata", "annotations")
        assert.strictEqual(annotations["prometheus.io/port"], "10261")
        assert.deepStrictEqual(
          J.list(of(objects, "NetworkPolicy"), "ingress", 0, "ports").map((it) => J.number(it, "port")),
          [10_260, 10_261]
        )
        // what others name stays: webhooks and people ask the Services
        const ports = ["image-cloner-webhook", "image-cloner-controller"].map((it) =>
          J.at(of(objects, "Service", it), "ports", 0)
        )
        assert.deepStrictEqual(ports, [
          { name: "webhook", port: 443, targetPort: "webhook" },
          { name: "http", port: 8080, targetPort: "http" }
        ])
        assert.notProperty(podOf(objects), "hostNetwork")
      }))

    it.effect("is on the network of nodes, still finds Services, and replaces one replica after the other there", () =>
      Effect.gen(function*() {
        const two = yield* rendered(onNodes)
        assert.deepInclude(podOf(two), { hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" })
        assert.deepStrictEqual(J.at(of(two, "Deployment"), "strategy"), {
          type: "RollingUpdate",
          rollingUpdate: { maxSurge: 0, maxUnavailable: 1 }
        })
        const one = yield* rendered({ ...required, hostNetwork: true, dnsPolicy: "Default" })
        assert.deepInclude(podOf(one), { hostNetwork: true, dnsPolicy: "Default" })
        assert.deepStrictEqual(J.at(of(one, "Deployment"), "strategy"), { type: "Recreate" })
      }))

    it.effect("leaves out of the security contexts what is null, and keeps the rest", () =>
      Effect.gen(function*() {
        const usual = podOf(yield* rendered(required))
        const without = podOf(
          yield* rendered({
            ...required,
            podSecurityContext: { runAsUser: null, runAsGroup: null, fsGroup: null },
            securityContext: { seLinuxOptions: { type: "x" } }
          })
        )
        assert.deepStrictEqual(without["securityContext"], {
          runAsNonRoot: true,
          seccompProfile: { type: "RuntimeDefault" }
        })
        assert.deepStrictEqual(J.at(without, "containers", 0, "securityContext"), {
          ...J.object(usual, "containers", 0, "securityContext"),
          seLinuxOptions: { type: "x" }
        })
        const bare = podOf(yield* rendered({ ...required, podSecurityContext: null, securityContext: null }))
        assert.notProperty(bare, "securityContext")
        assert.notProperty(J.object(bare, "containers", 0), "securityContext")
      }))

    it.effect.each(refused)("refuses %s, in words", ([, values, words]) =>
      Effect.gen(function*() {
        const { code, stderr } = yield* template({ ...required, ...values })
        assert.notStrictEqual(code, 0)
        assert.match(stderr, words)
      }))
  })
})

for (const place of W.controlPlanes.filter((it) => it.name !== "the sandbox")) {
  describe.skipIf(missing !== "")(`the chart in other surroundings, on ${place.name}${missing}`, () => {
    it.layer(stage(place.start), { timeout: "90 seconds", excludeTestServices: true })((it) => {
      const tried = Effect.fnUntraced(function*(values: J.JsonObject, ...more: ReadonlyArray<string>) {
        const fs = yield* FileSystem.FileSystem
        const file = join(yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-test-" }), "objects.yaml")
        const made = yield* template(values, ...more)
        assert.strictEqual(made.code, 0, made.stderr)
        yield* fs.writeFileString(file, made.stdout)
        return yield* kubectl("apply", "--server-side", "--dry-run=server", "-f", file)
      }, Effect.scoped)

      it.effect("is accepted whole: on OpenShift as restricted, on nodes where pod security allows it", () =>
        Effect.gen(function*() {
          yield* W.namespace("image-cloner", { labels: { "pod-security.kubernetes.io/warn": "restricted" } })
          const open = yield* tried({ ...required, admission: { enabled: true } }, ...ofOpenShift)
          assert.deepStrictEqual([open.code, open.stderr], [0, ""])
          const there = yield* tried(onNodes)
          assert.strictEqual(there.code, 0, there.stderr)
          assert.match(there.stderr, /would violate PodSecurity.*host namespaces \(hostNetwork=true\)/)
        }))
    })
  })
}
