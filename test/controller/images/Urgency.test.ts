// Which image goes first: what a pod waits for in vain, what nothing runs from a copy of, what many use; what failed goes last.
import { assert, describe, it } from "@effect/vitest"
import { claimOf } from "../../../src/controller/images/Urgency.ts"
import { Images } from "../../../src/store/Inventory.ts"
import type { ContainerState, Pod, Workload } from "../../../src/workload/Workload.ts"

const source = "docker.io/library/nginx:1"

// what a claim looks at; the rest of a workload's projection is of no interest to it
const workload = (key: string, image: string) =>
  ({ key, namespace: key.split("/")[1] ?? "", images: [{ container: "a", image }] }) as unknown as Workload
const pod = (image: string, waiting: string | undefined) =>
  ({ containers: [{ container: "a", image, waiting } as ContainerState] }) as unknown as Pod

const urgency = (
  users: ReadonlyArray<readonly [key: string, image: string, waiting?: string]>,
  failed = false
) => {
  const inventory = new Images()
  for (const [key] of users) inventory.want(key, [source])
  const entry = inventory.get(source)
  assert.isDefined(entry)
  const byKey = new Map(users.map((it) => [it[0], it] as const))
  return claimOf(entry, {
    get: (key) => {
      const user = byKey.get(key)
      return user === undefined ? undefined : workload(user[0], user[1])
    },
    pod: (key) => {
      const user = byKey.get(key)
      return user?.[2] === undefined ? undefined : pod(user[1], user[2])
    }
  }, failed)
}

const copy = "registry.example/backup/docker.io/library/nginx:1"

describe("the claim of an image", () => {
  it("names the namespaces of all its users", () => {
    const { namespaces } = urgency([["Deployment/shop/a", "nginx:1"], ["Pod/shop/a-1", "nginx:1"], [
      "Job/ci/b",
      "nginx:1"
    ]])
    assert.deepStrictEqual(namespaces, new Set(["shop", "ci"]))
  })

  it("is higher where somebody still runs from the source, however it is written, than where all run from the copy", () => {
    const uncovered = urgency([["Deployment/shop/a", "docker.io/nginx:1"]]).urgency
    const covered = urgency(Array.from({ length: 500 }, (_, at) => [`Deployment/shop/${at}`, copy] as const)).urgency
    assert.isAbove(uncovered, covered)
  })

  it("is higher where a pod waits for the image in vain", () => {
    const calm = urgency([["Pod/shop/a", "nginx:1"]]).urgency
    const refused = urgency([["Pod/shop/a", "nginx:1", "ImagePullBackOff"]]).urgency
    const slow = urgency([["Pod/shop/a", "nginx:1", "ContainerCreating"]]).urgency
    const another = urgency([["Pod/shop/a", copy, "ErrImagePull"]]).urgency
    assert.isAbove(refused, calm)
    assert.strictEqual(slow, calm)
    assert.isBelow(another, calm)
  })

  it("is lower where the last copy failed: below its like, however many use it, and above what runs from copies already", () => {
    const users = (image: string, waiting = "ContainerCreating") =>
      Array.from({ length: 500 }, (_, at) => [`Pod/shop/${at}`, image, waiting] as const)
    const one = (image: string, waiting?: string) => users(image, waiting).slice(0, 1)
    assert.isBelow(urgency(users("nginx:1"), true).urgency, urgency(one("nginx:1")).urgency)
    assert.isBelow(
      urgency(users("nginx:1", "ErrImagePull"), true).urgency,
      urgency(one("nginx:1", "ErrImagePull")).urgency
    )
    assert.isAbove(urgency(one("nginx:1"), true).urgency, urgency(users(copy)).urgency)
    assert.isAbove(urgency(one("nginx:1", "ErrImagePull"), true).urgency, urgency(users("nginx:1")).urgency)
  })

  it("grows with the users, and never beyond its class", () => {
    const of = (count: number) =>
      urgency(Array.from({ length: count }, (_, at) => [`Deployment/shop/${at}`, "nginx:1"] as const)).urgency
    assert.isAbove(of(30), of(3))
    assert.isBelow(of(5000), urgency([["Pod/shop/a", "nginx:1", "ErrImagePull"]]).urgency)
  })
})
