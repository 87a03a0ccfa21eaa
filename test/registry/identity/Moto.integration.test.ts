// New repositories against ECR's API as moto has it, a second opinion beside ministack's: tags, keys, mutability, policies, names.
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, References } from "effect"
import { Agent, request } from "undici"
import { afterAll, beforeAll, vi } from "vitest"
import { isEcrName } from "../../../src/registry/identity/CloudRepositories.ts"
import { cloudOptionsOf, hostIn } from "../../../src/registry/identity/CloudOptions.ts"
import { makeEcrIdentity } from "../../../src/registry/identity/EcrIdentity.ts"
import { makeSdkRequests } from "../../../src/registry/identity/SdkRequests.ts"
import { type Settings, settingsOf } from "../../../src/settings/Settings.ts"
import { moto, startMoto } from "../../support/Moto.ts"

const registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
const variables = {
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null"
}

/** What ECR's API says to an action. */
const ask = (origin: string, action: string, body: unknown) =>
  Effect.promise(async () => {
    const answer = await request(`${origin}/`, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": `AmazonEC2ContainerRegistry_V20150921.${action}`,
        authorization:
          "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/ecr/aws4_request, SignedHeaders=host, Signature=0"
      },
      body: JSON.stringify(body)
    })
    return { status: answer.statusCode, text: await answer.body.text() }
  })

/** A provider over the real SDK, and what it makes with these settings. */
const start = Effect.gen(function*() {
  const origin = yield* startMoto
  yield* Effect.acquireRelease(
    Effect.sync(() => vi.stubEnv("AWS_ENDPOINT_URL", origin)),
    () => Effect.sync(() => vi.stubEnv("AWS_ENDPOINT_URL", undefined))
  )
  const agent = yield* Effect.acquireRelease(Effect.sync(() => new Agent()), (it) => Effect.promise(() => it.destroy()))
  const provider = yield* Effect.provideService(
    makeEcrIdentity(yield* makeSdkRequests({ of: () => agent })),
    ConfigProvider.ConfigProvider,
    ConfigProvider.fromEnvRecord(variables)
  )
  const create = (name: string, more: Partial<Settings> = {}) => {
    const options = cloudOptionsOf(settingsOf("a.b/c", more))
    const host = hostIn(options, registry)
    return host === undefined || provider.createRepository === undefined
      ? assert.fail("no host of AWS")
      : provider.createRepository({ registry, host, options }, name).pipe(
        Effect.provideService(References.MinimumLogLevel, "None")
      )
  }
  return { origin, create }
})

const lifecycle = (countUnit: string) =>
  JSON.stringify({
    rules: [{
      rulePriority: 1,
      selection: { tagStatus: "untagged", countType: "sinceImagePushed", countUnit, countNumber: 30 },
      action: { type: "expire" }
    }]
  })

const pullers = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{
    Sid: "pull",
    Effect: "Allow",
    Principal: { AWS: "arn:aws:iam::210987654321:root" },
    Action: ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
  }]
})

describe.skipIf(moto === undefined)("ECR's API, as moto has it,", () => {
  beforeAll(() => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
  })
  afterAll(() => {
    vi.unstubAllEnvs()
  })

  it.live("takes a new repository with all that its owner may want", () =>
    Effect.gen(function*() {
      const { create, origin } = yield* start
      const key = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000"
      const made = yield* create("mirror/docker.io/library/nginx", {
        ECR_TAGS: ["team=platform", "cost center=a/b"],
        ECR_ENCRYPTION: `KMS=${key}`,
        ECR_MUTABILITY: "IMMUTABLE",
        ECR_SCAN_ON_PUSH: true,
        ECR_LIFECYCLE_POLICY: lifecycle("days"),
        ECR_REPOSITORY_POLICY: pullers
      })
      assert.isTrue(made)
      const name = "mirror/docker.io/library/nginx"
      const { text } = yield* ask(origin, "DescribeRepositories", { repositoryNames: [name] })
      for (const it of ["\"IMMUTABLE\"", "\"scanOnPush\": true", "\"KMS\"", key]) assert.include(text, it)
      const arn = `arn:aws:ecr:eu-west-1:123456789012:repository/${name}`
      const tags = yield* ask(origin, "ListTagsForResource", { resourceArn: arn })
      assert.include(tags.text, "cost center")
      assert.include((yield* ask(origin, "GetLifecyclePolicy", { repositoryName: name })).text, "sinceImagePushed")
      assert.include((yield* ask(origin, "GetRepositoryPolicy", { repositoryName: name })).text, "210987654321")
    }))

  it.live("has one that is there stay as it is", () =>
    Effect.gen(function*() {
      const { create, origin } = yield* start
      assert.isTrue(yield* create("mirror/app"))
      const before = yield* ask(origin, "DescribeRepositories", {})
      assert.isFalse(
        yield* create("mirror/app", { ECR_MUTABILITY: "IMMUTABLE", ECR_LIFECYCLE_POLICY: lifecycle("days") })
      )
      assert.deepStrictEqual(yield* ask(origin, "DescribeRepositories", {}), before)
      assert.strictEqual((yield* ask(origin, "GetLifecyclePolicy", { repositoryName: "mirror/app" })).status, 400)
    }))

  it.live("has one without its policy where it does not take the policy", () =>
    Effect.gen(function*() {
      const { create, origin } = yield* start
      assert.isTrue(yield* create("mirror/app", { ECR_LIFECYCLE_POLICY: lifecycle("months") }))
      assert.strictEqual((yield* ask(origin, "GetLifecyclePolicy", { repositoryName: "mirror/app" })).status, 400)
    }))

  it.live("names what it does not take of a repository", () =>
    Effect.gen(function*() {
      const { create } = yield* start
      const error = yield* Effect.flip(create("Mirror"))
      assert.match(error.message, /ecr:CreateRepository for .*\/Mirror: InvalidParameterException/)
      assert.isFalse(error.retryable)
    }))

  it.live("takes no name that is not ours to ask for", () =>
    Effect.gen(function*() {
      const { origin } = yield* start
      const parts = ["a", "0", "A", "-", "--", "_", ".", "..", "/", "//", "ab", "_x"]
      for (const first of parts) {
        for (const second of parts) {
          const name = `m${first}${second}z`
          const { status } = yield* ask(origin, "CreateRepository", { repositoryName: name })
          if (status === 200) assert.isTrue(isEcrName(name), name)
        }
      }
      for (const name of [`m/${"a".repeat(254)}`, `m/${"a".repeat(255)}`]) {
        assert.strictEqual(isEcrName(name), name.length <= 256)
      }
    }))
})
