// manifests/overlays/admission on a real API server: accepted whole, rights that are enough for the switches and no more, and
// configurations that whoever applies the manifests neither fills nor empties.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Option, SubscriptionRef } from "effect"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as ControlPlane from "../../sandbox/ControlPlane.ts"
import { registration } from "../../src/admission/registration/Registration.ts"
import { mutatingConfiguration, validatingConfiguration } from "../../src/admission/registration/Webhooks.ts"
import { KubeClient } from "../../src/kube/KubeClient.ts"
import { type Settings, settingsOf } from "../../src/settings/Settings.ts"
import { run } from "../support/Command.ts"
import { eventually } from "../support/Eventually.ts"

const assets = process.env["KUBEBUILDER_ASSETS"] ?? ""
const kubectlFile = join(assets, "kubectl")
const skipped = assets === "" || !existsSync(kubectlFile)
const repository = fileURLToPath(new URL("../..", import.meta.url))
const account = "system:serviceaccount:image-cloner:image-cloner-controller"
// what it says is of no matter: nobody is asked here
const bundle = `-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIBATAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxpbWFnZS1j
-----END CERTIFICATE-----
`

class Place extends Context.Service<Place, Effect.Success<ReturnType<typeof ControlPlane.real>>>()(
  "image-cloner/test/deployment/AdmissionPlace"
) {}

const place = Layer.effect(Place, ControlPlane.real({ assets })).pipe(
  Layer.orDie,
  Layer.provideMerge(NodeServices.layer)
)

const environment = (kubeconfigFile: string) => ({ PATH: process.env["PATH"] ?? "", HOME: dirname(kubeconfigFile) })

const kubectl = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(Place, ({ kubeconfigFile }) =>
    run(kubectlFile, ["--kubeconfig", kubeconfigFile, ...args], {
      cwd: repository,
      env: environment(kubeconfigFile)
    }))

const make = (target: string, parameters: ReadonlyArray<string> = []) =>
  Effect.flatMap(Place, ({ kubeconfigFile }) =>
    run(
      "make",
      ["--no-print-directory", target, `KUBECTL=${kubectlFile} --kubeconfig ${kubeconfigFile}`, ...parameters],
      { cwd: repository, env: environment(kubeconfigFile) }
    ))

/** As the controller, by a token of its ServiceAccount. */
const asController = Effect.gen(function*() {
  const { cluster } = yield* Place
  const token = yield* kubectl("-n", "image-cloner", "create", "token", "image-cloner-controller")
  return KubeClient.layerFrom({
    server: cluster.url,
    ca: cluster.ca,
    headers: { authorization: `Bearer ${token.stdout.trim()}` }
  })
})

/** The names of the webhooks of both configurations, and the versions of these. */
const registered = Effect.gen(function*() {
  const found = yield* Effect.forEach(
    [mutatingConfiguration, validatingConfiguration],
    ({ kind, name }) =>
      kubectl("get", `${kind}/${name}`, "-o", "jsonpath={.webhooks[*].name} {.metadata.resourceVersion}")
  )
  const words = found.map((it) => it.stdout.split(" "))
  return { webhooks: words.map((it) => it[0] ?? ""), versions: words.map((it) => it[1] ?? "") }
})

const both = [mutatingConfiguration.webhook, validatingConfiguration.webhook]

describe.skipIf(skipped)("the overlay for admission", () => {
  it.layer(place, { timeout: "90 seconds", excludeTestServices: true })((it) => {
    it.effect("is accepted whole, without a warning, and registers nothing", () =>
      Effect.gen(function*() {
        const applied = yield* kubectl("apply", "-k", "manifests/overlays/admission")
        assert.deepStrictEqual([applied.code, applied.stderr], [0, ""])
        assert.deepStrictEqual(
          applied.stdout.trim().split("\n").filter((line) => /webhook|network|zz|image-cloner created/.test(line))
            .toSorted(),
          [
            "clusterrole.rbac.authorization.k8s.io/image-cloner-webhook created",
            "clusterrolebinding.rbac.authorization.k8s.io/image-cloner-webhook created",
            "mutatingwebhookconfiguration.admissionregistration.k8s.io/zz-image-cloner created",
            "namespace/image-cloner created",
            "networkpolicy.networking.k8s.io/image-cloner-controller created",
            "role.rbac.authorization.k8s.io/image-cloner-webhook created",
            "rolebinding.rbac.authorization.k8s.io/image-cloner-webhook created",
            "service/image-cloner-webhook created",
            "validatingwebhookconfiguration.admissionregistration.k8s.io/image-cloner created"
          ]
        )
        assert.deepStrictEqual((yield* registered).webhooks, ["", ""])
        const port = yield* kubectl(
          "-n",
          "image-cloner",
          "get",
          "deployment/image-cloner-controller",
          "-o",
          "jsonpath={..ports[?(@.name=='webhook')].containerPort} {..env[?(@.name=='WEBHOOK_PORT')].value} {..env[*].name}"
        )
        assert.strictEqual(port.stdout, "9443 9443 WEBHOOK_PORT POD_NAMESPACE DOCKER_CONFIG")
      }))

    it.effect("gives the rights to two configurations and one Secret, by their names", () =>
      Effect.gen(function*() {
        const may = (...what: ReadonlyArray<string>) =>
          Effect.map(kubectl("auth", "can-i", ...what, "--as", account), (it) => it.stdout.trim())
        const configurations = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]
        const names = ["zz-image-cloner", "image-cloner"]
        for (const [index, resource] of configurations.entries()) {
          for (const verb of ["get", "patch"]) {
            assert.strictEqual(yield* may(verb, `${resource}/${names[index]}`), "yes")
            assert.strictEqual(yield* may(verb, `${resource}/${names[1 - index]}`), "no")
          }
          for (const verb of ["create", "list", "watch", "deletecollection"]) {
            assert.strictEqual(yield* may(verb, resource), "no", `${verb} ${resource}`)
          }
          for (const verb of ["update", "delete"]) {
            assert.strictEqual(yield* may(verb, `${resource}/${names[index]}`), "no", `${verb} ${resource}`)
          }
        }
        const own = ["-n", "image-cloner"]
        for (const verb of ["get", "update"]) {
          assert.strictEqual(yield* may(verb, "secrets/image-cloner-webhook-ca", ...own), "yes")
          assert.strictEqual(yield* may(verb, "secrets/docker-configuration", ...own), "no")
          assert.strictEqual(yield* may(verb, "secrets/image-cloner-webhook-ca", "-n", "default"), "no")
        }
        assert.strictEqual(yield* may("create", "secrets", ...own), "yes")
        assert.strictEqual(yield* may("create", "secrets", "-n", "default"), "no")
        for (const verb of ["list", "watch", "delete"]) assert.strictEqual(yield* may(verb, "secrets", ...own), "no")
      }))

    it.effect("is a part of the one for two replicas, which elect a leader by a Lease of their own", () =>
      Effect.gen(function*() {
        const applied = yield* kubectl("apply", "-k", "manifests/overlays/ha")
        assert.deepStrictEqual([applied.code, applied.stderr], [0, ""])
        const deployment = yield* kubectl(
          "-n",
          "image-cloner",
          "get",
          "deployment/image-cloner-controller",
          "-o",
          "jsonpath={.spec.replicas} {.spec.strategy.rollingUpdate} {..env[?(@.name=='LEADER_ELECTION')].value} {..env[*].name}"
        )
        assert.strictEqual(
          deployment.stdout,
          "2 {\"maxSurge\":1,\"maxUnavailable\":0} true LEADER_ELECTION POD_NAME WEBHOOK_PORT POD_NAMESPACE DOCKER_CONFIG"
        )
        const may = (...what: ReadonlyArray<string>) =>
          Effect.map(
            kubectl("auth", "can-i", ...what, "--as", account, "-n", "image-cloner"),
            (it) => it.stdout.trim()
          )
        for (const verb of ["get", "update"]) {
          assert.strictEqual(yield* may(verb, "leases/image-cloner-controller"), "yes")
          assert.strictEqual(yield* may(verb, "leases/other"), "no")
        }
        assert.strictEqual(yield* may("create", "leases"), "yes")
        for (const verb of ["list", "watch", "delete", "patch"]) assert.strictEqual(yield* may(verb, "leases"), "no")
      }))

    it.effect("is filled in with these rights, once, and stays so when it is applied again", () =>
      Effect.gen(function*() {
        const settings = yield* SubscriptionRef.make(settingsOf("backup.example/copies"))
        const set = (changes: Partial<Settings>) => SubscriptionRef.update(settings, (now) => ({ ...now, ...changes }))
        const it = yield* registration({
          ownNamespace: "image-cloner",
          url: undefined,
          bundle: yield* SubscriptionRef.make(Option.some(bundle)),
          settings,
          leads: Effect.succeed(true),
          serves: Effect.succeed(true)
        }).pipe(Effect.provide(yield* asController))
        yield* Effect.forkChild(it.run)
        yield* set({ MUTATING_WEBHOOK: "on", VALIDATING_WEBHOOK: "enforce" })
        const filled = yield* eventually(
          "it is not filled in",
          registered,
          ({ webhooks }) => webhooks.join() === both.join()
        )
        assert.isNumber(
          yield* eventually("it is not published", it.publishedSince(bundle), (since) => since !== undefined)
        )
        for (const how of [[], ["--server-side", "--force-conflicts"]]) {
          const again = yield* kubectl("apply", ...how, "-k", "manifests/overlays/admission")
          assert.strictEqual(again.code, 0, again.stderr)
          assert.deepStrictEqual((yield* registered).webhooks, both)
        }
        const before = yield* registered
        // three looks: what the API server filled in is no difference
        yield* Effect.sleep("6 seconds")
        assert.deepStrictEqual(yield* registered, before)
        assert.notDeepEqual(filled.versions, ["", ""])

        yield* kubectl(
          "patch",
          `${mutatingConfiguration.kind}/${mutatingConfiguration.name}`,
          "--type=json",
          `-p=[{"op":"remove","path":"/webhooks/0"}]`
        )
        yield* eventually("it is not repaired", registered, ({ webhooks }) => webhooks.join() === both.join())
        yield* set({ MUTATING_WEBHOOK: "off", VALIDATING_WEBHOOK: "off" })
        yield* eventually("it is not emptied", registered, ({ webhooks }) => webhooks.join() === ",")
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))))

    it.effect("stays where `make deploy` goes over it, and `make undeploy` takes the configurations out first", () =>
      Effect.gen(function*() {
        const configured = yield* kubectl("create", "-f", "manifests/configuration")
        assert.strictEqual(configured.code, 0)
        const deployed = yield* make("deploy", ["IMAGE=registry.example/image-cloner:2"])
        assert.strictEqual(deployed.code, 0, deployed.stderr)
        const ports = yield* kubectl(
          "-n",
          "image-cloner",
          "get",
          "deployment/image-cloner-controller",
          "-o",
          "jsonpath={..ports[*].name} {..containers[0].image}"
        )
        assert.strictEqual(ports.stdout, "webhook http registry.example/image-cloner:2")
        const out = yield* make("undeploy")
        assert.strictEqual(out.code, 0, out.stderr)
        const gone = out.stdout.split("\n").filter((line) => line.includes(" deleted"))
        assert.deepStrictEqual(gone.slice(0, 2).map((line) => /"([^"]+)"/.exec(line)?.[1]), [
          "zz-image-cloner",
          "image-cloner"
        ])
        const left = yield* kubectl(
          "get",
          "namespaces,clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations",
          "-o",
          "name"
        )
        assert.notInclude(left.stdout, "image-cloner")
        // a second time there is nothing to do
        assert.strictEqual((yield* make("undeploy")).code, 0)
      }))
  })
})
