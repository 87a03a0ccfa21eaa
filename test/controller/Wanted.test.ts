// Which copies a store's workloads need, for looking whether they are whole.
import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { wanted } from "../../src/controller/Wanted.ts"
import { format } from "../../src/image/ImageReference.ts"
import type { ImageState } from "../../src/image/ImageState.ts"
import { Workloads } from "../../src/store/WorkloadStore.ts"
import { settingsOf } from "../../src/settings/Settings.ts"
import { digestOf, pod, workload } from "../support/Objects.ts"

const backup = { registry: "backup.example", prefix: "copies", layout: "nested" } as const
const copied = "backup.example/copies/docker.io/library"

const storeOf = (images: Record<string, string>, running?: string) => {
  const store = new Workloads()
  const web = workload({ images })
  store.putWorkload(web)
  if (running !== undefined) store.putPod(pod({ owner: web, images, digest: running }))
  for (const it of ["pods", "replicasets", "namespaces"]) store.markSynced(it)
  return store
}

const look = (store: Workloads, state: (source: string) => ImageState | undefined = () => undefined) =>
  wanted(store, { settings: settingsOf("backup.example/copies"), backup, ownNamespace: Option.none(), now: 0, state })
    .map((it) => [
      it.source === undefined ? undefined : format(it.source),
      format(it.backup)
    ])

describe("the copies that a cluster needs", () => {
  it("are of what runs from its source and of what is rewritten, each once", () => {
    const store = storeOf({ a: "nginx:1.27", b: `${copied}/nginx:1.27`, c: `${copied}/redis:7`, d: "auto" })
    assert.deepStrictEqual(look(store), [
      ["docker.io/library/nginx:1.27", `${copied}/nginx:1.27`],
      ["docker.io/library/redis:7", `${copied}/redis:7`]
    ])
  })

  it("have no source where nothing tells it", () => {
    assert.deepStrictEqual(look(storeOf({ a: "backup.example/copies/mine:1" })), [
      [undefined, "backup.example/copies/mine:1"]
    ])
  })

  it("are also of the digest that pods run, once the tag's copy is seen to be another", () => {
    const [told, old] = [digestOf("a"), digestOf("b")]
    const store = storeOf({ app: "nginx:1.27" }, old)
    assert.strictEqual(look(store).length, 1)
    const seen: ImageState = { _tag: "BackedUp", digest: told, contents: new Set([told]), verifiedAt: 0 }
    const after = look(store, (source) => source === "docker.io/library/nginx:1.27" ? seen : undefined)
    assert.deepStrictEqual(after.map(([source]) => source), [
      "docker.io/library/nginx:1.27",
      `docker.io/library/nginx:1.27@${old}`
    ])
  })
})
