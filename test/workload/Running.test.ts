import { assert, describe, it } from "@effect/vitest"
import type { ImageState } from "../../src/image/ImageState.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import type { WorkloadKind } from "../../src/workload/Kinds.ts"
import { plan } from "../../src/workload/Plan.ts"
import type { Pod, Workload } from "../../src/workload/Workload.ts"
import { digestOf, facts, pod, workload } from "../support/Objects.ts"

const one = digestOf("a")
const two = digestOf("b")
const v2 = "docker.io/library/app:v2"
const copy = `backup.example/copies/${v2}`
const now = 1_000_000_000

const backedUp = (digest: typeof one, contents = [digest]): ImageState => ({
  _tag: "BackedUp",
  digest,
  contents: new Set(contents),
  verifiedAt: now
})

const planned = (
  of: Workload,
  given: {
    readonly pods: ReadonlyArray<Pod>
    readonly newest?: ReadonlyArray<Pod>
    readonly states?: Record<string, ImageState>
  }
) => {
  const states: Record<string, ImageState | undefined> = given.states ?? { [v2]: backedUp(two) }
  const { images, verdict, wants } = plan(
    of,
    facts(settingsOf("backup.example/copies"), {
      now,
      pods: given.pods,
      newestPods: new Set(given.newest),
      state: (source) => states[source]
    })
  )
  return { to: images[0]?.to, wants, held: verdict._tag === "Held" ? verdict.reason : verdict._tag }
}

/** Set to v2 a moment ago, while its pods are still those of v1. */
const changed = (kind: WorkloadKind, spec: Record<string, unknown> = {}) =>
  workload({ kind, images: { app: "app:v2" }, spec })
const ofV1 = pod({ images: { app: "app:v1" }, digest: one })

describe("a pod of another revision is no evidence of a template that names another image", () => {
  // each of these became app:v2@<digest of v1> within 0.3 s, and ran v1 from then on
  const cases = [
    ["a StatefulSet with a partition", changed("StatefulSet", { updateStrategy: { rollingUpdate: { partition: 1 } } })],
    ["a DaemonSet that is replaced by hand", changed("DaemonSet", { updateStrategy: { type: "OnDelete" } })],
    ["a ReplicaSet of its own", changed("ReplicaSet")],
    ["a CronJob whose last job still runs", changed("CronJob")]
  ] as const
  for (const [what, of] of cases) {
    it(`${what} is rewritten to what its own tag names`, () => {
      assert.deepStrictEqual(planned(of, { pods: [ofV1] }), { to: copy, wants: [v2], held: "Rewrite" })
    })
  }

  it("a Deployment at its release copies no pin of the release before", () => {
    assert.deepStrictEqual(planned(changed("Deployment"), { pods: [ofV1] }).wants, [v2])
  })
})

describe("a pod counts", () => {
  const pinned = `${v2}@${one}`
  const ranBefore = { to: undefined, wants: [v2, pinned], held: "pending" } as const

  it("of the newest revision, whatever its own spec calls the image: webhooks rewrite pods", () => {
    const rewritten = pod({ images: { app: "mirror.example/whatever:x" }, digest: one })
    assert.deepStrictEqual(planned(changed("StatefulSet"), { pods: [rewritten], newest: [rewritten] }), ranBefore)
  })

  for (
    const image of [
      "app:v2",
      "docker.io/library/app:v2",
      "index.docker.io/app:v2",
      copy,
      `${copy}@${one}`
    ]
  ) {
    it(`of an older revision that names ${image}, which is the template's image or its copy`, () => {
      const before = pod({ images: { app: image }, digest: one })
      assert.deepStrictEqual(planned(changed("StatefulSet"), { pods: [before] }), ranBefore)
    })
  }

  it("by the container of that name alone", () => {
    const sidecar = pod({ images: { other: "app:v2" }, digest: one })
    assert.strictEqual(planned(changed("CronJob"), { pods: [sidecar] }).to, copy)
  })
})

describe("where a pod of the newest revision runs and tells nothing", () => {
  const silent = pod({ images: { app: "app:v2" } })

  it("the workload is held, and the reason is not that the tag has moved", () => {
    assert.strictEqual(planned(changed("Deployment"), { pods: [silent], newest: [silent] }).held, "digest-unknown")
  })

  it("of this container, which has no status at all", () => {
    const other = pod({ images: { other: "app:v2" }, digest: two })
    assert.strictEqual(planned(changed("Deployment"), { pods: [other], newest: [other] }).held, "digest-unknown")
  })

  it("of an image volume: its data could be another's; named by digest it is rewritten", () => {
    const of = (reference: string) =>
      planned(workload({ images: {}, volumes: { data: reference } }), {
        pods: [mounting],
        newest: [mounting],
        states: { [v2]: backedUp(two), [`${v2}@${two}`]: backedUp(two) }
      })
    const mounting = pod({
      images: { app: "nginx" },
      digest: one,
      podSpec: { volumes: [{ name: "data", image: { reference: "app:v2" } }] }
    })
    assert.strictEqual(of("app:v2").held, "digest-unknown")
    assert.strictEqual(of(`app:v2@${two}`).held, "Rewrite")
  })

  it("but a container that has not started yet holds nothing: nothing of it runs", () => {
    const waiting = pod({ images: { app: "app:v2" }, ready: false, state: { waiting: { reason: "ImagePullBackOff" } } })
    assert.strictEqual(planned(changed("Deployment"), { pods: [waiting], newest: [waiting] }).to, copy)
  })
})

describe("the id of a config, as CRI-O tells it since 1.28", () => {
  const onCrio = (digest: string) => pod({ images: { app: "app:v2" }, imageID: digest.slice(7) })

  it("is the copy's where the copy has that config", () => {
    const states = { [v2]: backedUp(two, [two, one]) }
    assert.deepStrictEqual(planned(changed("Deployment"), { pods: [onCrio(one)], states }), {
      to: copy,
      wants: [v2],
      held: "Rewrite"
    })
  })

  it("of another image holds the workload: no registry can be asked for an image by it", () => {
    assert.deepStrictEqual(planned(changed("Deployment"), { pods: [onCrio(one)] }), {
      to: undefined,
      wants: [v2],
      held: "tag-moved"
    })
  })
})
