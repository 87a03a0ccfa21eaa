import { assert, describe, it } from "@effect/vitest"
import { Images } from "../../src/store/Inventory.ts"
import { Workloads } from "../../src/store/WorkloadStore.ts"
import { findImage, findWorkload } from "../../src/web/FindAsked.ts"
import { backupOf, parseBackup } from "../../src/image/BackupName.ts"
import { Result } from "effect"
import { format, parse } from "../../src/image/ImageReference.ts"
import { rolloutOf } from "../support/ExtraObjects.ts"
import { workload } from "../support/Objects.ts"

const backup = (layout: "nested" | "flat") => Result.getOrThrow(parseBackup("backup.example/copies", layout))

const store = () => {
  const all = new Workloads()
  for (
    const it of [
      workload(),
      workload({ kind: "CronJob" }),
      workload({ namespace: "other", name: "api", images: { app: "localhost/own:1" } })
    ]
  ) all.putWorkload(it)
  return all
}

const named = (text: string) => {
  const found = findWorkload(store(), text)
  return "_tag" in found ? [found.message, ...found.candidates] : found.key
}

const images = () => {
  const all = new Images()
  all.want("Deployment/shop/web", ["docker.io/library/nginx:1.27", "docker.io/library/nginx:1.26"])
  return all
}

const image = (text: string, layout: "nested" | "flat" = "nested") => {
  const found = findImage(images(), store(), backup(layout), text)
  return "_tag" in found ? [found.message, ...found.candidates] : found.entry.source
}

describe("a workload that is asked about", () => {
  it("is found by its key, and by its name where nothing else has it", () => {
    assert.strictEqual(named("deploy/shop/web"), "Deployment/shop/web")
    assert.strictEqual(named("other/api"), "Deployment/other/api")
  })

  it("is of EXTRA_KINDS where its kind is written as `plan` does", () => {
    const all = new Workloads()
    all.putWorkload(rolloutOf())
    const found = findWorkload(all, "Rollout.argoproj.io/shop/web")
    assert.strictEqual("_tag" in found ? found.message : found.key, rolloutOf().key)
    const none = findWorkload(all, "CloneSet.apps.kruise.io/shop/web")
    assert.include("_tag" in none ? none.message : "", "there is no CloneSet.apps.kruise.io web in namespace shop")
  })

  it("is one of several that are called so", () => {
    assert.deepStrictEqual(named("shop/web"), [
      "2 objects in namespace shop are called web: name one",
      "CronJob/shop/web",
      "Deployment/shop/web"
    ])
  })

  it("may be elsewhere, or called alike, where it is not there", () => {
    assert.deepStrictEqual(named("Deployment/shop/api"), [
      "there is no Deployment api in namespace shop",
      "Deployment/other/api"
    ])
    assert.deepStrictEqual(named("shop/we"), [
      "nothing in namespace shop that runs pods is called we",
      "CronJob/shop/web",
      "Deployment/shop/web"
    ])
    assert.deepStrictEqual(named("Service/shop/web"), ["there is no kind \"Service\" that runs pods"])
    assert.match(named("a/b/c/d")[0] ?? "", /names no workload/)
  })
})

describe("an image that is asked about", () => {
  it("is found by its source, and by its copy in either layout", () => {
    const nginx = "docker.io/library/nginx:1.27"
    assert.strictEqual(image("nginx:1.27"), nginx)
    assert.strictEqual(image("backup.example/copies/docker.io/library/nginx:1.27"), nginx)
    const flat = format(backupOf(backup("flat"), Result.getOrThrow(parse(nginx))))
    assert.notInclude(flat, "docker.io")
    assert.strictEqual(image(flat, "flat"), nginx)
  })

  it("may be another of its repository, or not be copied where it is used, or be no image at all", () => {
    assert.deepStrictEqual(image("nginx:1.2"), [
      "nothing in the cluster uses docker.io/library/nginx:1.2; of its repository these are in use",
      "docker.io/library/nginx:1.26",
      "docker.io/library/nginx:1.27"
    ])
    assert.deepStrictEqual(image("localhost/own:1"), [
      "localhost/own:1 is in use and is not copied; these say why",
      "Deployment/other/api"
    ])
    assert.deepStrictEqual(image("api"), [
      "nothing in the cluster uses docker.io/library/api:latest; these workloads are called so",
      "Deployment/other/api"
    ])
    assert.match(image("not a reference")[0] ?? "", /is not an image reference/)
    assert.deepStrictEqual(image("quay.io/a/b:1"), ["nothing in the cluster uses quay.io/a/b:1"])
  })
})
