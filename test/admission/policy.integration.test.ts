// What `image-cloner policy` prints, applied to a real API server as people apply it: allowed, warned and refused pods.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { parseAllDocuments } from "yaml"
import * as ControlPlane from "../../sandbox/ControlPlane.ts"
import { cli } from "../cli/Cli.ts"
import { run } from "../support/Command.ts"
import { eventually } from "../support/Eventually.ts"

const assets = process.env["KUBEBUILDER_ASSETS"] ?? ""
const kubectlFile = join(assets, "kubectl")
const skipped = assets === "" || !existsSync(kubectlFile)

class Cluster extends Context.Service<Cluster, Effect.Success<ReturnType<typeof ControlPlane.real>>>()(
  "image-cloner/test/admission/PolicyCluster"
) {}

const cluster = Layer.effect(Cluster, ControlPlane.real({ assets })).pipe(
  Layer.orDie,
  Layer.provideMerge(NodeServices.layer)
)

const kubectl = (args: ReadonlyArray<string>, stdin?: string) =>
  Effect.flatMap(Cluster, ({ kubeconfigFile }) =>
    run(kubectlFile, ["--kubeconfig", kubeconfigFile, ...args], {
      env: { HOME: dirname(kubeconfigFile) },
      ...(stdin === undefined ? {} : { stdin })
    }))

const prefix = "backup.example:5000/my_team/copies"
const copy = `${prefix}/docker.io/library/nginx:1`

/** Applies what the command prints; a policy is in force some moments later. */
const apply = Effect.fnUntraced(function*(action: string) {
  const printed = yield* cli(["policy", "--action", action], {
    env: { BACKUP_REGISTRY: prefix, NAMESPACES_TO_IGNORE: "ignored" }
  })
  assert.deepStrictEqual([printed.code, printed.stderr], [0, ""])
  const applied = yield* kubectl(["apply", "-f", "-"], printed.stdout)
  assert.deepStrictEqual([applied.code, applied.stderr], [0, ""])
})

interface PodParts {
  readonly images?: ReadonlyArray<string>
  readonly initImages?: ReadonlyArray<string>
  readonly volumes?: ReadonlyArray<string>
  readonly finalizers?: ReadonlyArray<string>
}

const containers = (name: string, images: ReadonlyArray<string>) =>
  images.map((image, index) => ({ name: `${name}-${index}`, image }))

const pod = (namespace: string, name: string, parts: PodParts) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, finalizers: parts.finalizers ?? [] },
  spec: {
    containers: containers("app", parts.images ?? [copy]),
    initContainers: containers("init", parts.initImages ?? []),
    volumes: (parts.volumes ?? []).map((reference, index) => ({ name: `volume-${index}`, image: { reference } }))
  }
})

const create = (namespace: string, name: string, parts: PodParts, flags: ReadonlyArray<string> = []) =>
  kubectl(["create", "-f", "-", ...flags], JSON.stringify(pod(namespace, name, parts)))

/** A change of the ephemeral containers, as `kubectl debug` makes it. */
const debug = (namespace: string, name: string, image: string) =>
  kubectl(["-n", namespace, "debug", name, `--image=${image}`, "--profile=general", "--quiet", "--", "true"])

const inForce = (action: "warn" | "deny") =>
  eventually(
    `the policy does not ${action}`,
    create("shop", "probe", { images: ["nginx:1"] }, ["--dry-run=server"]),
    (it) => it.stderr.includes("not from the backup") && (it.code === 0) === (action === "warn")
  )

const advice =
  `use their copies, whose names \`image-cloner plan\` shows, or label the namespace validate-backups.image-cloner.io=disable`

describe("image-cloner policy", () => {
  it.layer(NodeServices.layer, { excludeTestServices: true })((it) => {
    it.effect("prints a policy and its binding, and says what it cannot hold", () =>
      Effect.gen(function*() {
        const { code, stderr, stdout } = yield* cli(["policy"], {
          env: { BACKUP_REGISTRY: prefix, IMAGES_TO_IGNORE: "docker.io/library/**", POD_NAMESPACE: "elsewhere" }
        })
        assert.deepStrictEqual([code, stderr], [0, ""])
        const documents = parseAllDocuments(stdout).map((it) => it.toJS())
        assert.deepStrictEqual(documents.map((it) => it.kind), [
          "ValidatingAdmissionPolicy",
          "ValidatingAdmissionPolicyBinding"
        ])
        assert.deepStrictEqual(documents[1].spec.validationActions, ["Warn"])
        assert.include(documents[0].spec.matchConstraints.namespaceSelector.matchExpressions[0].values, "elsewhere")
        assert.include(stdout, "# IMAGES_TO_IGNORE (docker.io/library/**) is not in it")
      }))

    it.effect("prints nothing where it is asked for what there is not, or by wrong settings", () =>
      Effect.gen(function*() {
        const unknown = yield* cli(["policy", "--action", "destroy"], { env: { BACKUP_REGISTRY: prefix } })
        assert.deepStrictEqual([unknown.code, unknown.stdout], [2, ""])
        const wrong = yield* cli(["policy"], { env: { BACKUP_REGISTRY: "backup.example" } })
        assert.deepStrictEqual([wrong.code, wrong.stdout], [1, ""])
        assert.include(wrong.stderr, "BACKUP_REGISTRY")
      }))
  })
})

describe.skipIf(skipped)("the policy on a real API server", () => {
  it.layer(cluster, { timeout: "90 seconds", excludeTestServices: true })((it) => {
    it.effect("warns, and lets everything through", () =>
      Effect.gen(function*() {
        for (const name of ["shop", "ignored", "labelled"]) yield* kubectl(["create", "namespace", name])
        yield* kubectl(["label", "namespace", "labelled", "validate-backups.image-cloner.io=disable"])
        for (const namespace of ["shop", "ignored", "labelled", "kube-system"]) {
          yield* eventually(
            "the account does not come",
            kubectl(["-n", namespace, "get", "serviceaccount/default"]),
            (it) => it.code === 0
          )
        }
        yield* create("shop", "old", { images: ["nginx:1", "redis:7"], finalizers: ["example.com/held"] })
        yield* create("shop", "large", {
          images: Array.from({ length: 100 }, (_, index) => `registry.example/large/image-${index}:1`),
          initImages: Array.from({ length: 100 }, (_, index) => `registry.example/large/init-${index}:1`)
        })
        yield* apply("warn")
        yield* inForce("warn")
        const warned = yield* create("shop", "warned", { images: ["nginx:1", copy], initImages: ["busybox"] })
        assert.strictEqual(warned.code, 0)
        assert.include(
          warned.stderr,
          `Warning: Validation failed for ValidatingAdmissionPolicy 'image-cloner' with binding 'image-cloner': not from the backup ${prefix}: nginx:1, busybox; ${advice}`
        )
        const quiet = yield* create("shop", "quiet", {})
        assert.deepStrictEqual([quiet.code, quiet.stderr], [0, ""])
        const checked = yield* kubectl([
          "get",
          "validatingadmissionpolicy/image-cloner",
          "-o",
          "jsonpath={.status.typeChecking.expressionWarnings}"
        ])
        assert.strictEqual(checked.stdout, "")
      }))

    it.effect("refuses each place of an image that is not from the backup, by its name", () =>
      Effect.gen(function*() {
        yield* apply("deny")
        yield* inForce("deny")
        const places: ReadonlyArray<readonly [string, PodParts]> = [
          ["containers", { images: [copy, "nginx:2"] }],
          ["init containers", { initImages: ["nginx:2"] }],
          ["image volumes", { volumes: ["nginx:2"] }]
        ]
        for (const [where, parts] of places) {
          const refused = yield* create("shop", "refused", parts)
          assert.strictEqual(refused.code, 1, where)
          assert.include(refused.stderr, `Forbidden`, where)
          assert.include(refused.stderr, `not from the backup ${prefix}: nginx:2; ${advice}`, where)
        }
        for (
          const image of [`${prefix}-evil/x:1`, `${prefix}:1`, prefix, `evil.example/${copy.slice(5)}`, `x${copy}`]
        ) {
          assert.strictEqual((yield* create("shop", "refused", { images: [image] })).code, 1, image)
        }
        const allowed = yield* create("shop", "allowed", {
          initImages: [`${copy}@sha256:${"a".repeat(64)}`],
          volumes: [copy]
        })
        assert.deepStrictEqual([allowed.code, allowed.stderr], [0, ""])
      }))

    it.effect("leaves namespaces out by name and by label", () =>
      Effect.gen(function*() {
        for (const namespace of ["kube-system", "ignored", "labelled"]) {
          const it = yield* create(namespace, "free", { images: ["nginx:1"] })
          assert.deepStrictEqual([it.code, it.stderr], [0, ""], namespace)
        }
      }))

    it.effect("counts only images that a pod did not have, so that nobody is stuck", () =>
      Effect.gen(function*() {
        const label = yield* kubectl(["-n", "shop", "label", "pod/old", "pod/large", "a=b"])
        assert.deepStrictEqual([label.code, label.stderr], [0, ""])
        const other = yield* kubectl(["-n", "shop", "set", "image", "pod/old", "app-0=nginx:2"])
        assert.strictEqual(other.code, 1)
        assert.include(other.stderr, `not from the backup ${prefix}: nginx:2;`)
        const better = yield* kubectl(["-n", "shop", "set", "image", "pod/old", `app-0=${copy}`])
        assert.deepStrictEqual([better.code, better.stderr], [0, ""])
        yield* kubectl(["-n", "shop", "delete", "pod/old", "--wait=false"])
        const freed = yield* kubectl([
          "-n",
          "shop",
          "patch",
          "pod/old",
          "--type=merge",
          `-p={"metadata":{"finalizers":[]}}`
        ])
        assert.deepStrictEqual([freed.code, freed.stderr], [0, ""])
      }))

    it.effect("refuses ephemeral containers with other images, in old pods too", () =>
      Effect.gen(function*() {
        for (const name of ["allowed", "warned"]) {
          const refused = yield* debug("shop", name, "busybox:1")
          assert.notStrictEqual(refused.code, 0)
          assert.include(refused.stderr, `not from the backup ${prefix}: busybox:1;`)
          const allowed = yield* debug("shop", name, copy)
          assert.strictEqual(allowed.code, 0, allowed.stderr)
        }
      }))
  })
})
