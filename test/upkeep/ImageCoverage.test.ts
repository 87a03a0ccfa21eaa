import { assert, describe, it } from "@effect/vitest"
import { Images } from "../../src/store/Inventory.ts"
import { imageCounts } from "../../src/upkeep/ImageCoverage.ts"
import { backedUp, failed } from "../workload/Planned.ts"

describe("the coverage of images", () => {
  it("counts each image in use once: its copy runs, is there, is missing, or cannot be", () => {
    const images = new Images()
    images.want("Deployment/shop/web", ["ran", "there", "new", "gone", "hidden"])
    images.set("ran", backedUp())
    images.set("there", backedUp())
    images.set("gone", failed("not-found"))
    images.set("hidden", failed("private"))
    const counts = imageCounts(images, { runs: (source) => source === "ran" })
    assert.deepStrictEqual(counts, { running: 1, whole: 1, left: 1, "at-risk": 2 })
  })
})
