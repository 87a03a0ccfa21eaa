// A real Distribution registry's own clean-up takes the parts of an index that its tags still name (distribution/distribution#3178): a
// HEAD of the copy says that it is there, and no node can pull it.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { Cloner } from "../../../src/clone/Cloner.ts"
import { pushImage } from "../../support/PushImage.ts"
import {
  distribution2,
  distribution3,
  type Program,
  type RealRegistry,
  startRegistry
} from "../../support/RealRegistry.ts"
import { clonerLayer } from "../../support/Registries.ts"
import { index } from "../../support/SourceAndBackup.ts"

const cleanUp = ({ path }: Program, { directory }: RealRegistry) =>
  execFileSync(path ?? "", ["garbage-collect", "--delete-untagged", join(directory, "config.yml")], { stdio: "pipe" })

const statusOf = (registry: RealRegistry, repository: string, reference: string) =>
  Effect.promise(async () => {
    const accept = index.manifests.map((it) => it.mediaType).join(", ")
    return (await fetch(`${registry.origin}/v2/${repository}/manifests/${reference}`, { headers: { accept } })).status
  })

for (const program of [distribution2, distribution3]) {
  describe.skipIf(program.path === undefined)(`a copy in ${program.name} whose registry was cleaned up`, () => {
    it.live("is seen not to be whole where parts of it are gone, and has all of them once it was copied anew", () =>
      Effect.gen(function*() {
        const source = yield* startRegistry(program)
        const backup = yield* startRegistry(program)
        yield* pushImage({ origin: source.origin, repository: "team/app", tag: "1" }, index)
        const reference = { registry: source.host, repository: "team/app", tag: "1" }
        yield* Effect.gen(function*() {
          const cloner = yield* Cloner
          const { backup: { repository }, digest } = yield* cloner.clone(reference)
          const parts = index.manifests.filter((it) => it.digest !== digest).map((it) => it.digest)
          const statuses = Effect.forEach(parts, (it) => statusOf(backup, repository, it))
          cleanUp(program, backup)
          const isWhole = (yield* statuses).every((it) => it === 200)
          if (program === distribution2) assert.isFalse(isWhole, "what this test is about")
          yield* cloner.verify(reference, digest)
          assert.strictEqual(Result.isSuccess(yield* Effect.result(cloner.verifyWhole(reference, digest))), isWhole)
          yield* cloner.clone(reference)
          assert.deepStrictEqual(new Set(yield* statuses), new Set([200]))
          yield* cloner.verifyWhole(reference, digest)
        }).pipe(Effect.provide(clonerLayer({ backup: backup.host, plainHttp: [source.host, backup.host] })))
      }).pipe(Effect.provide(NodeServices.layer)))
  })
}
