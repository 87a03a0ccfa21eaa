// What the chart makes, by a real Helm, beside what kustomize makes of the manifests: the same objects, whatever is switched on.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parse } from "yaml"
import * as J from "../../sandbox/Json.ts"
import { keys } from "../../src/settings/Settings.ts"
import { helmWith, keyOf, kustomized, missing, rendered, required, template } from "./Rendering.ts"

const image = `${required.image.repository}:${required.image.tag}`

const withImage = (objects: ReadonlyArray<J.JsonObject>): ReadonlyArray<J.JsonObject> => {
  for (const it of objects) {
    const container = J.object(it, "spec", "template", "spec", "containers", 0)
    if (it["kind"] === "Deployment") container["image"] = image
  }
  return objects
}

const byKey = (objects: ReadonlyArray<J.JsonObject>) => Object.fromEntries(objects.map((it) => [keyOf(it), it]))

const find = (objects: ReadonlyArray<J.JsonObject>, key: string): J.JsonObject =>
  objects.find((it) => keyOf(it) === key) ?? {}
const deployment = "Deployment/image-cloner/image-cloner-controller"
const configuration = "ConfigMap/image-cloner/image-cloner-configuration"

const cases: ReadonlyArray<readonly [string, J.JsonObject]> = [
  ["base", {}],
  ["overlays/admission", { admission: { enabled: true } }],
  ["overlays/ha", { highAvailability: { enabled: true } }]
]

const refused: ReadonlyArray<readonly [string, J.JsonObject, RegExp]> = [
  ["two replicas that elect no leader", { ...required, replicas: 2 }, /takes highAvailability\.enabled=true/],
  ["no image", { ...required, image: {} }, /image\.repository is required/],
  ["no backup", { ...required, settings: {} }, /settings\.BACKUP_REGISTRY is required/],
  ["a setting that nobody knows", { ...required, settings: { DRYRUN: "true" } }, /'DRYRUN' not allowed/],
  ["`on` without quotes", { ...required, settings: { MUTATING_WEBHOOK: true } }, /MUTATING_WEBHOOK.*boolean/],
  [
    "a webhook that nothing is there for",
    { ...required, settings: { ...required.settings, VALIDATING_WEBHOOK: "warn" } },
    /settings\.VALIDATING_WEBHOOK takes admission\.enabled=true/
  ],
  ["rewriting without the right", { ...required, rbac: { rewrite: false } }, /takes settings\.REWRITE_MODE=off/],
  ["a value that nobody knows", { ...required, replicaCount: 2 }, /'replicaCount' not allowed/],
  ["a label that pods are selected by", { ...required, podLabels: { "app.kubernetes.io/name": "x" } }, /podLabels/],
  ["half a digest", { ...required, image: { ...required.image, digest: "sha256:12" } }, /digest/]
]

describe.skipIf(missing !== "")(`the chart${missing}`, () => {
  it.layer(NodeServices.layer)((it) => {
    it.effect.each(cases)("makes the objects of manifests/%s", ([folder, values]) =>
      Effect.gen(function*() {
        const manifests = withImage(yield* kustomized(folder)).filter((it) => it["kind"] !== "Namespace")
        const objects = yield* rendered({ ...required, ...values })
        assert.isAbove(manifests.length, 4)
        assert.deepStrictEqual(
          byKey(objects.filter((it) => keyOf(it) !== configuration)),
          byKey(manifests)
        )
        const text = readFileSync(
          fileURLToPath(new URL("../../manifests/configuration/image-cloner-configuration.yaml", import.meta.url)),
          "utf8"
        )
        assert.deepStrictEqual(find(objects, configuration)["data"], {
          ...J.object(parse(text), "data"),
          ...required.settings
        })
      }))

    it.effect("adds the rights of PULL_SECRET where that is set, and rules that are given", () =>
      Effect.gen(function*() {
        const base = yield* rendered(required)
        const rule = { apiGroups: ["argoproj.io"], resources: ["rollouts"], verbs: ["get", "list", "watch", "patch"] }
        const objects = yield* rendered({
          ...required,
          rbac: { extraRules: [rule] },
          settings: { ...required.settings, PULL_SECRET: "image-cloner-pull" }
        })
        const before = new Set(base.map(keyOf))
        assert.deepStrictEqual(
          byKey(objects.filter((it) => !before.has(keyOf(it)))),
          byKey(yield* kustomized("pull-secret"))
        )
        const role = "ClusterRole//image-cloner-controller"
        assert.deepStrictEqual(J.list(find(objects, role), "rules"), [...J.list(find(base, role), "rules"), rule])
      }))

    it.effect.each(refused)("refuses %s, in words", ([, values, words]) =>
      Effect.gen(function*() {
        const { code, stderr } = yield* template(values)
        assert.notStrictEqual(code, 0)
        assert.match(stderr, words)
      }))

    it.effect("writes every setting as it is given, text or not", () =>
      Effect.gen(function*() {
        const odd = [
          "a: \"b\" {{ .Values }} 'c'",
          "line\nline",
          "ü 💡 \\n",
          "- x",
          "true",
          "1e3",
          "#",
          " spaces ",
          "0x10"
        ]
        const texts = Object.fromEntries(keys.map((key, at) => [key, odd[at % odd.length] ?? ""]))
        assert.deepStrictEqual(
          find(yield* rendered({ ...required, admission: { enabled: true }, settings: texts }), configuration)["data"],
          texts
        )
        const settings = {
          ...required.settings,
          MAX_BANDWIDTH: 104_857_600,
          DRY_RUN: false,
          NAMESPACES_TO_IGNORE: ["one", "two"],
          MAX_CONCURRENT_ROLLOUTS: null,
          MAX_CONCURRENT_RECONCILES: 0
        }
        assert.deepStrictEqual(find(yield* rendered({ ...required, settings }), configuration)["data"], {
          ...required.settings,
          MAX_BANDWIDTH: "104857600",
          DRY_RUN: "false",
          NAMESPACES_TO_IGNORE: "one,two",
          MAX_CONCURRENT_RECONCILES: "0"
        })
      }))

    it.effect("puts what users of charts expect where it belongs, and leaves out what is theirs", () =>
      Effect.gen(function*() {
        const toleration = { key: "tools", operator: "Exists" }
        const objects = yield* rendered({
          ...required,
          image: { ...required.image, digest: `sha256:${"0".repeat(64)}`, pullPolicy: "Always" },
          admission: { enabled: true },
          networkPolicy: { enabled: false },
          podDisruptionBudget: { enabled: true },
          serviceMonitor: { enabled: true, labels: { release: "prometheus" } },
          configuration: { create: false },
          rbac: { rewrite: false, events: false },
          serviceAccount: { annotations: { "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/x" } },
          commonLabels: { team: "platform" },
          podLabels: { "azure.workload.identity/use": "true" },
          podAnnotations: { note: "1" },
          imagePullSecrets: [{ name: "tools" }],
          nodeSelector: { pool: "tools" },
          tolerations: [toleration],
          priorityClassName: "high",
          extraEnv: [{ name: "HTTPS_PROXY", value: "http://proxy:3128" }],
          extraVolumes: [{ name: "certificates", secret: { secretName: "certificates" } }],
          extraVolumeMounts: [{ name: "certificates", mountPath: "/etc/docker" }],
          login: { secretName: "push" },
          replicas: 0
        })
        const kinds = objects.map((it) => it["kind"])
        assert.notInclude(kinds, "NetworkPolicy")
        assert.includeMembers(kinds, ["PodDisruptionBudget", "ServiceMonitor"])
        assert.notInclude(objects.map(keyOf), configuration)
        for (const it of objects) assert.strictEqual(J.text(it, "metadata", "labels", "team"), "platform", keyOf(it))
        // the label of every object is none of what pods are selected by
        for (const it of objects.filter(({ kind }) => kind === "Service")) {
          assert.deepStrictEqual(J.at(it, "spec", "selector"), { "app.kubernetes.io/name": "image-cloner" })
        }
        assert.notInclude(JSON.stringify(find(objects, "ClusterRole//image-cloner-controller")), "\"patch\"")
        const spec = J.object(find(objects, deployment), "spec")
        assert.strictEqual(spec["replicas"], 0)
        const pod = J.object(spec, "template", "spec")
        const container = J.object(pod, "containers", 0)
        assert.strictEqual(container["image"], `${image}@sha256:${"0".repeat(64)}`)
        assert.deepStrictEqual([pod["tolerations"], pod["priorityClassName"]], [[toleration], "high"])
        assert.deepStrictEqual(J.list(container, "env").at(-1), { name: "HTTPS_PROXY", value: "http://proxy:3128" })
        assert.strictEqual(
          J.text(pod, "volumes", 1, "projected", "sources", 1, "secret", "name"),
          "push"
        )
        assert.strictEqual(J.text(pod, "volumes", 3, "name"), "certificates")
        assert.strictEqual(J.text(container, "volumeMounts", 3, "mountPath"), "/etc/docker")
        assert.deepStrictEqual(J.at(spec, "template", "metadata", "labels"), {
          "app.kubernetes.io/name": "image-cloner",
          team: "platform",
          "azure.workload.identity/use": "true"
        })
      }))

    it.effect("keeps a login in a Secret alone", () =>
      Effect.gen(function*() {
        const configJson = JSON.stringify({ auths: { "registry.example": { auth: "c2VjcmV0OnNlY3JldA==" } } })
        const login = { configJson }
        const objects = yield* rendered({ ...required, login })
        const secret = find(objects, "Secret/image-cloner/docker-configuration")
        assert.strictEqual(
          Buffer.from(J.text(secret, "data", "config.json") ?? "", "base64").toString("utf8"),
          configJson
        )
        const others = JSON.stringify(objects.filter((it) => it !== secret))
        assert.notInclude(others, "c2VjcmV0")
        const { code, stdout } = yield* helmWith(["install", "--dry-run=client", "--hide-secret", "image-cloner"], {
          ...required,
          login
        })
        assert.strictEqual(code, 0)
        assert.include(stdout.slice(stdout.indexOf("NOTES:")), "DRY_RUN is on")
        assert.notInclude(stdout, "c2VjcmV0")
        assert.notInclude(stdout, Buffer.from(configJson).toString("base64"))
      }))

    it.effect("has nothing that Helm's linter finds", () =>
      Effect.gen(function*() {
        const { code, stdout } = yield* helmWith(["lint", "--strict"], required)
        assert.strictEqual(code, 0, stdout)
        assert.notMatch(stdout, /WARNING|ERROR/)
      }))
  })
})
