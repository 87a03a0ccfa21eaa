// What ECR is asked for when a repository is made, by the real SDK, and what becomes of its refusals.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { cloudOptionsOf, hostIn } from "../../../src/registry/identity/CloudOptions.ts"
import type { CloudQuestion } from "../../../src/registry/identity/CloudProvider.ts"
import { type Settings, settingsOf } from "../../../src/settings/Settings.ts"
import { type Seen } from "../../support/FakeRegistry.ts"
import { answerJson, calledOf, startAws } from "./AwsWorld.ts"

const ecr = "210987654321.dkr.ecr.eu-west-1.amazonaws.com"

const question = (more: Partial<Settings> = {}, registry = ecr): CloudQuestion => {
  const options = cloudOptionsOf(settingsOf("a.b/c", more))
  const host = hostIn(options, registry)
  return host === undefined ? assert.fail(`${registry} is no host of AWS`) : { registry, host, options }
}

const askedOf = (seen: ReadonlyArray<Seen>) =>
  seen.map((it) => [calledOf(it).split(" ").at(-1), JSON.parse(it.body.toString())])

/** Makes `mirror/a` in a world that answers so. */
const creating = (
  asked: CloudQuestion,
  answer: (action: string) => readonly [status: number, body: unknown] = () => [200, {}]
) =>
  Effect.gen(function*() {
    const { provider, world } = yield* startAws((seen, response) => {
      const [status, body] = answer(calledOf(seen).split(" ").at(-1) ?? "")
      answerJson(response, body, status)
    })
    const made = yield* Effect.result(provider.createRepository?.(asked, "mirror/a") ?? Effect.die("none"))
    return { made, asked: askedOf(world.seen) }
  })

const plain = { registryId: "210987654321", repositoryName: "mirror/a" }
const byDefault = { ...plain, imageTagMutability: "MUTABLE", imageScanningConfiguration: { scanOnPush: false } }

describe("a repository in ECR", () => {
  it.live("is made in the account that its host names", () =>
    Effect.gen(function*() {
      const { asked, made } = yield* creating(question())
      assert.deepStrictEqual(asked, [["CreateRepository", byDefault]])
      assert.deepInclude(made, { success: true })
    }))

  it.live("is made in our own where its host names none", () =>
    Effect.gen(function*() {
      const own = question({ ECR_DOMAINS: ["registry.example=eu-west-1"] }, "registry.example")
      const { registryId: _, ...expected } = byDefault
      assert.deepStrictEqual((yield* creating(own)).asked, [["CreateRepository", expected]])
    }))

  it.live("has what its owner wants, and its policies", () =>
    Effect.gen(function*() {
      const [lifecycle, policy] = ["{\"rules\":[]}", "{\"Statement\":[]}"]
      const { asked } = yield* creating(question({
        ECR_TAGS: ["team=platform", "empty="],
        ECR_ENCRYPTION: "KMS=alias/copies",
        ECR_MUTABILITY: "IMMUTABLE",
        ECR_SCAN_ON_PUSH: true,
        ECR_LIFECYCLE_POLICY: lifecycle ?? "",
        ECR_REPOSITORY_POLICY: policy ?? ""
      }))
      assert.deepStrictEqual(asked, [
        ["CreateRepository", {
          ...plain,
          imageTagMutability: "IMMUTABLE",
          imageScanningConfiguration: { scanOnPush: true },
          tags: [{ Key: "team", Value: "platform" }, { Key: "empty", Value: "" }],
          encryptionConfiguration: { encryptionType: "KMS", kmsKey: "alias/copies" }
        }],
        ["SetRepositoryPolicy", { ...plain, policyText: policy }],
        ["PutLifecyclePolicy", { ...plain, lifecyclePolicyText: lifecycle }]
      ])
    }))

  it.live("that is there already is left as it is", () =>
    Effect.gen(function*() {
      const there = { __type: "RepositoryAlreadyExistsException", message: "it already exists" }
      const { asked, made } = yield* creating(
        question({ ECR_REPOSITORY_POLICY: "{\"Statement\":[]}" }),
        () => [400, there]
      )
      assert.deepInclude(made, { success: false })
      assert.lengthOf(asked, 1)
    }))

  it.live("that may not be made names action, name and permission", () =>
    Effect.gen(function*() {
      const message =
        "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: ecr:CreateRepository on resource: x "
        + "because no identity-based policy allows the ecr:CreateRepository action"
      const { made } = yield* creating(question(), () => [400, { __type: "AccessDeniedException", message }])
      if (made._tag === "Success") return assert.fail("it was made")
      assert.isFalse(made.failure.retryable)
      assert.match(
        made.failure.message,
        new RegExp(`ecr:CreateRepository for ${ecr}/mirror/a: .*IAM policy of our role`)
      )
    }))

  it.live("is used without its policy where that may not be set", () =>
    Effect.gen(function*() {
      const { made } = yield* creating(
        question({ ECR_REPOSITORY_POLICY: "{\"Statement\":[]}" }),
        (action) =>
          action === "CreateRepository" ? [200, {}] : [400, { __type: "AccessDeniedException", message: "no" }]
      )
      assert.deepInclude(made, { success: true })
    }))

  it.live("is never made in the public registry", () =>
    Effect.gen(function*() {
      const { asked, made } = yield* creating(question({}, "public.ecr.aws"))
      assert.deepInclude(made, { success: false })
      assert.lengthOf(asked, 0)
    }))
})
