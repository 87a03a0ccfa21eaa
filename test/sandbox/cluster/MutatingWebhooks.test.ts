// The embedded API server asks webhooks as the real one does: by HTTPS with their own authority, and not for ever.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import * as J from "../../../sandbox/Json.ts"
import { makeCertificates } from "../../kube/Certificates.ts"
import { pod } from "../support/Objects.ts"
import * as Sandbox from "../support/Sandbox.ts"

const configurations = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
const pods = "/api/v1/namespaces/default/pods"

type Answer = (request: J.JsonObject) => J.JsonObject | undefined

/** A webhook that answers so; one that has no answer leaves the connection open. */
const webhook = Effect.fnUntraced(function*(answer: Answer) {
  const { ca, server } = yield* Effect.promise(makeCertificates)
  const url = yield* Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const it = createServer({ cert: server.cert, key: server.key }, (incoming, outgoing) => {
        let text = ""
        incoming.on("data", (chunk) => text += String(chunk))
        incoming.on("end", () => {
          const request = J.object(J.parse(text) ?? {}, "request")
          const response = answer(request)
          if (response === undefined) return
          outgoing.end(JSON.stringify({ response: { uid: J.text(request, "uid") ?? "", ...response } }))
        })
      })
      it.listen(0, "127.0.0.1", () => {
        const { port } = it.address() as AddressInfo // a listening TCP server has no other
        resume(Effect.succeed({
          url: `https://127.0.0.1:${port}/mutate`,
          close: () => {
            it.closeAllConnections()
            it.close()
          }
        }))
      })
    }),
    (it) => Effect.sync(it.close)
  )
  return { url: url.url, ca }
})

const register = (url: string, ca: string, more: J.JsonObject = {}) =>
  Sandbox.post(configurations, {
    metadata: { name: "a" },
    webhooks: [{
      name: "pods.example.com",
      clientConfig: { url, caBundle: Buffer.from(ca).toString("base64") },
      rules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"] }],
      failurePolicy: "Ignore",
      timeoutSeconds: 1,
      ...more
    }]
  })

const copied: Answer = () => ({
  allowed: true,
  patchType: "JSONPatch",
  patch: Buffer.from(JSON.stringify([{ op: "replace", path: "/spec/containers/0/image", value: "copy:1" }]))
    .toString("base64")
})

const made = Effect.map(
  Sandbox.post(pods, pod("a", "source:1")),
  (it) => J.text(J.list(it, "spec", "containers")[0], "image")
)

/** The image of a pod that is made while such a webhook is registered. */
const imageWith = Effect.fnUntraced(function*(answer: Answer, more: J.JsonObject = {}, authority?: string) {
  const { client } = yield* Sandbox.cluster()
  const { ca, url } = yield* webhook(answer)
  return yield* Effect.provideContext(Effect.andThen(register(url, authority ?? ca, more), made), client)
})

describe("a mutating webhook of the embedded cluster", () => {
  it.live("has its JSON Patch applied to a pod that is made", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* imageWith(copied), "copy:1")
    }))

  it.live("is not asked about namespaces or pods that its selectors leave out", () =>
    Effect.gen(function*() {
      const expression = { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["default"] }
      assert.strictEqual(
        yield* imageWith(copied, { namespaceSelector: { matchExpressions: [expression] } }),
        "source:1"
      )
      assert.strictEqual(yield* imageWith(copied, { objectSelector: { matchLabels: { no: "such" } } }), "source:1")
    }))

  it.live("is passed over where its authority is another one", () =>
    Effect.gen(function*() {
      const other = yield* Effect.promise(makeCertificates)
      assert.strictEqual(yield* imageWith(copied, {}, other.ca), "source:1")
    }))

  it.live("is passed over where it gives no answer in time", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* imageWith(() => undefined), "source:1")
    }))

  it.live("is passed over where it lies about the request or patches nonsense", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* imageWith((it) => ({ ...copied(it), uid: "another" })), "source:1")
      assert.strictEqual(yield* imageWith((it) => ({ ...copied(it), patch: "bm9uc2Vuc2U=" })), "source:1")
    }))

  it.live("fails the pod where its failurePolicy is Fail, and where it denies", () =>
    Effect.gen(function*() {
      const failed = yield* Effect.flip(imageWith(() => undefined, { failurePolicy: "Fail" }))
      assert.include(failed.message, "failed calling webhook \"pods.example.com\"")
      const denied = yield* Effect.flip(imageWith(() => ({ allowed: false, status: { message: "not today" } })))
      assert.include(denied.message, "denied the request: not today")
    }))
})
