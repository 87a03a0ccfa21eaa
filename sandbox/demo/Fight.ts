// Fight: another controller that sets an image of its Deployment back whenever it is rewritten, until ours leaves it alone.
// Edge: it gives up after `rounds`, so that a controller that never yields fails the demo instead of hanging it.
import { Effect } from "effect"
import * as J from "../Json.ts"
import * as Objects from "../client/Objects.ts"
import * as Cluster from "./Cluster.ts"

/** What both write to. */
export const about: Cluster.Named = {
  kind: "Deployment",
  namespace: "infra",
  name: "signed"
}
/** The field manager of the other one. */
export const opponent = "shop-operator"

const rounds = 4

const held = Effect.map(
  Objects.get(Cluster.place(about.kind, about.namespace, about.name)),
  (it) => J.text(it, "metadata", "annotations", "image-cloner.io/held") ?? ""
)

const setBack = (image: string) =>
  Objects.patch(opponent, Cluster.place(about.kind, about.namespace, about.name), {
    spec: { template: { spec: { containers: [{ name: "app", image }] } } }
  })

/** The mark's own fields, one a line. */
const describe = (mark: string): string => {
  const fields = J.parse(mark) ?? {}
  return ["reason", "detail", "until"].map((it) => `  ${it}: ${J.text(fields, it) ?? ""}`).join("\n")
}

/**
 * Sets `image` back, waits until the copy stands there again or the workload is marked as held, and so on. Gives back how
 * often it was set back, and the mark.
 */
export const fight = Effect.fnUntraced(function*(image: string) {
  for (let round = 1; round <= rounds; round++) {
    yield* setBack(image)
    yield* Cluster.waitFor(
      `the controller neither rewrote ${Cluster.nameOf(about)} nor yielded`,
      Effect.gen(function*() {
        if ((yield* held) !== "") return true
        return (yield* Cluster.imagesNow(about)).every((it) => it !== image)
      }),
      "30 seconds"
    )
    const mark = yield* held
    if (mark !== "") return { round, mark: describe(mark) }
    yield* Cluster.waitFor(
      `${Cluster.nameOf(about)} did not become ready`,
      Effect.map(Cluster.podsOf(about), (pods) => pods.length === 1 && pods.every(Cluster.isReady)),
      "30 seconds"
    )
  }
  return yield* new Cluster.DemoFailed({ what: `the controller did not yield in ${rounds} rounds` })
})
