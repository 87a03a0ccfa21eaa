// AdmittedPod: a pod of its own that is made while the controller's webhook is on. Edge: its owner is nobody, so no template
// could have brought it its copy: what it names after it was made is the webhook's work.
import { Effect, Option } from "effect"
import { createServer } from "node:net"
import { table } from "../../src/cli/Table.ts"
import * as Objects from "../client/Objects.ts"
import * as J from "../Json.ts"
import * as Cluster from "./Cluster.ts"

const configuration: Objects.Place = {
  resource: Objects.resource("MutatingWebhookConfiguration"),
  namespace: "",
  name: "zz-image-cloner"
}

/** A port that was free a moment ago: the webhook's address is told to the program before it listens. */
export const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** The object that the controller fills in, empty as manifests/overlays/admission has it. */
export const prepare = Objects.create("demo", configuration.resource, "", {
  metadata: { name: configuration.name }
})

/** Whether the controller has filled it in. */
export const isOn = Effect.map(Objects.get(configuration), (it) => J.list(it, "webhooks").length > 0)

/** Whether the controller has taken its entry out again. */
export const isOff = Effect.map(isOn, (it) => !it)

/** Makes a pod of `image`; gives back what was asked for, and what the API server stored. */
export const make = Effect.fnUntraced(function*(image: string) {
  const made = yield* Objects.create("demo", Objects.resource("Pod"), "shop", {
    metadata: { name: "debug", labels: { app: "debug" } },
    spec: { containers: [{ name: "debug", image }] }
  })
  const stored = J.text(J.list(made, "spec", "containers")[0], "image") ?? ""
  return { asked: image, stored, annotations: J.texts(made, "metadata", "annotations") }
})

export const print = (asked: string, stored: string): string =>
  table(["POD shop/debug", "IMAGE"], [["as it was sent", asked], ["as it was stored", stored]])

/** Takes the pod away again. */
export const remove = Effect.gen(function*() {
  const place = Cluster.place("Pod", "shop", "debug")
  const pod = yield* Effect.option(Objects.get(place))
  if (Option.isNone(pod)) return
  yield* Objects.ignoreGone(Objects.remove(place, J.text(pod.value, "metadata", "uid") ?? "", 0))
})
