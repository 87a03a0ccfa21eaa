import { assert, describe, it } from "@effect/vitest"
import { withPullWords } from "../../src/workload/PullWords.ts"
import { pod } from "../support/Objects.ts"

const copy = "backup.example/copies/a:1"
const other = "backup.example/copies/b:1"
const bare = `Back-off pulling image "${copy}"`

/** A pod that waits, as the kubelet says it. */
const waits = (reason: string, message?: string, given: Parameters<typeof pod>[0] = {}) =>
  pod({
    images: { app: copy },
    ready: false,
    state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
    ...given
  })
const refused = waits("ErrImagePull", "401 Unauthorized")
const messages = (of: ReturnType<typeof pod>) => of.containers.map((it) => it.message)

describe("why a pod cannot pull", () => {
  it.each([bare, "", undefined])("is still known while the kubelet only says %j", (message) => {
    const waiting = withPullWords(waits("ImagePullBackOff", message), refused)
    assert.deepStrictEqual(waiting.containers.map((it) => [it.waiting, it.message]), [
      ["ImagePullBackOff", "401 Unauthorized"]
    ])
    assert.deepStrictEqual(messages(withPullWords(waits("ImagePullBackOff", message), waiting)), ["401 Unauthorized"])
  })

  it.each([
    ["ErrImagePull", "i/o timeout"],
    // since Kubernetes 1.32
    ["ImagePullBackOff", `${bare}: ErrImagePull: i/o timeout`]
  ])("is what was said last: %s, %s", (reason, message) => {
    const now = waits(reason, message)
    assert.strictEqual(withPullWords(now, refused), now)
  })

  it("is known of each container of an image, of which one was tried and the others share its back-off", () => {
    const images = { app: copy, cron: copy }
    const backsOff = waits("ImagePullBackOff", bare, { images })
    const [app] = refused.containers
    const [, cron] = backsOff.containers
    const tried = { ...backsOff, containers: [app, cron].filter((it) => it !== undefined) }
    assert.deepStrictEqual(messages(withPullWords(tried, undefined)), ["401 Unauthorized", "401 Unauthorized"])
    assert.deepStrictEqual(messages(withPullWords(backsOff, tried)), ["401 Unauthorized", "401 Unauthorized"])
  })

  it("is not taken from another image, another pod of that name, or what failed otherwise", () => {
    const now = waits("ImagePullBackOff", bare)
    const befores = [
      undefined,
      waits("ErrImagePull", "401 Unauthorized", { images: { app: other } }),
      waits("ErrImagePull", "401 Unauthorized", { metadata: { uid: "anew" } }),
      waits("CrashLoopBackOff", "back-off 10s restarting failed container")
    ]
    for (const before of befores) assert.deepStrictEqual(withPullWords(now, before), now)
  })

  it("is nothing to a container that does not fail to pull", () => {
    const runs = pod({ images: { app: copy } })
    const creating = waits("ContainerCreating")
    assert.deepStrictEqual([withPullWords(runs, refused), withPullWords(creating, refused)], [runs, creating])
  })
})
