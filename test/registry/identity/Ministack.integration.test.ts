// The program against ECR as ministack has it: repositories that are not there, tokens by STS for a pod's ServiceAccount, a copy.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { request } from "undici"
import { cli } from "../../cli/Cli.ts"
import { startFakeRegistry } from "../../support/FakeRegistry.ts"
import { ministack, startMinistack } from "../../support/Ministack.ts"
import { imageOf, indexOf, layerOf } from "../../support/TestImages.ts"

const index = indexOf([
  imageOf([layerOf("a", 300_000), layerOf("b")]),
  imageOf([layerOf("b"), layerOf("c")], { architecture: "arm64" })
])

/** What ECR's API says to an action. */
const ask = (host: string, action: string, body: unknown) =>
  Effect.promise(async () => {
    const answer = await request(`http://${host}/`, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": `AmazonEC2ContainerRegistry_V20150921.${action}`,
        authorization:
          "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=0"
      },
      body: JSON.stringify(body)
    })
    return JSON.stringify(await answer.body.json())
  })

describe.skipIf(ministack === undefined)("ECR, as ministack has it,", () => {
  it.live("gets a copy into repositories that are made for it, and again without making any", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const host = yield* startMinistack
      const source = yield* startFakeRegistry()
      source.add("team/app", index, "1")
      const token = `${yield* fs.makeTempDirectoryScoped()}/token`
      yield* fs.writeFileString(token, "a-service-account's-token")
      const clone = cli(["clone", `${source.host}/team/app:1`], {
        env: {
          BACKUP_REGISTRY: `${host}/mirror`,
          PLAIN_HTTP_REGISTRIES: `${source.host},${host}`,
          ECR_DOMAINS: `${host}=us-east-1`,
          ECR_TAGS: "team=platform",
          ECR_MUTABILITY: "MUTABLE",
          ECR_SCAN_ON_PUSH: "true",
          ECR_LIFECYCLE_POLICY: JSON.stringify({
            rules: [{
              rulePriority: 1,
              selection: { tagStatus: "untagged", countType: "sinceImagePushed", countUnit: "days", countNumber: 30 },
              action: { type: "expire" }
            }]
          }),
          AWS_ENDPOINT_URL: `http://${host}`,
          AWS_ROLE_ARN: "arn:aws:iam::000000000000:role/pod",
          AWS_WEB_IDENTITY_TOKEN_FILE: token
        }
      })
      const first = yield* clone
      assert.strictEqual(first.code, 0, first.stderr)
      assert.include(first.stdout, "copied")
      const name = `mirror/${source.host.replace(":", "_")}/team/app`
      const described = yield* ask(host, "DescribeRepositories", { repositoryNames: [name] })
      assert.match(described, /"scanOnPush":\s*true/)
      assert.include(yield* ask(host, "GetLifecyclePolicy", { repositoryName: name }), "sinceImagePushed")
      for (const it of index.manifests) {
        const answer = yield* Effect.promise(() => request(`http://${host}/v2/${name}/manifests/${it.digest}`))
        const bytes = yield* Effect.promise(() => answer.body.arrayBuffer())
        assert.isTrue(it.bytes.equals(Buffer.from(bytes)), it.digest)
      }
      const second = yield* clone
      assert.strictEqual(second.code, 0, second.stderr)
      assert.include(second.stdout, "up-to-date")
    }).pipe(Effect.provide(NodeServices.layer)))

  it.live("says which setting it is where repositories may not be made", () =>
    Effect.gen(function*() {
      const host = yield* startMinistack
      const source = yield* startFakeRegistry()
      source.add("team/app", index, "1")
      const ended = yield* cli(["clone", `${source.host}/team/app:1`], {
        env: {
          BACKUP_REGISTRY: `${host}/mirror`,
          PLAIN_HTTP_REGISTRIES: `${source.host},${host}`,
          ECR_DOMAINS: `${host}=us-east-1`,
          ECR_CREATE_REPOSITORIES: "false",
          AWS_ENDPOINT_URL: `http://${host}`,
          AWS_ACCESS_KEY_ID: "test",
          AWS_SECRET_ACCESS_KEY: "test"
        }
      })
      assert.notStrictEqual(ended.code, 0)
      assert.match(ended.stdout, /NAME_UNKNOWN|created first/)
    }).pipe(Effect.provide(NodeServices.layer)))
})
