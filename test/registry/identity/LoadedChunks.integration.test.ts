// What the bundled program loads: nothing of a cloud's library before the first of its hosts, and nothing that it could not run.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { cli } from "../../cli/Cli.ts"
import { type FakeRegistry, startFakeRegistry, startServer } from "../../support/FakeRegistry.ts"
import { startForwardProxy } from "../../support/ForwardProxy.ts"
import { imageOf, layerOf } from "../../support/TestImages.ts"
import { answerJson, answerRole, calledOf, tokenOf } from "./AwsWorld.ts"
import { loginOf } from "./FakeCloud.ts"

const image = imageOf([layerOf("a")])

/** Notes every module that is loaded, built-in ones aside. */
const hook = (file: string) =>
  `import { registerHooks } from "node:module"; import { appendFileSync } from "node:fs";
  registerHooks({ load: (url, context, next) => {
    if (url.startsWith("file:")) appendFileSync(${JSON.stringify(file)}, url + "\\n")
    return next(url, context)
  } })`

/** Runs a clone from one registry to the other, and answers with how it ended and which files it has loaded. */
const clone = Effect.fnUntraced(function*(source: FakeRegistry, backup: FakeRegistry, env: Record<string, string>) {
  const fs = yield* FileSystem.FileSystem
  const file = `${yield* fs.makeTempDirectoryScoped()}/loaded`
  const ended = yield* cli(["clone", `${source.host}/app:1`], {
    node: ["--import", `data:text/javascript,${encodeURIComponent(hook(file))}`],
    env: {
      BACKUP_REGISTRY: `${backup.host}/mirror`,
      PLAIN_HTTP_REGISTRIES: `${source.host},${backup.host}`,
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      ...env
    }
  })
  const loaded = (yield* fs.readFileString(file)).trim().split("\n").map((it) => it.split("/").at(-1) ?? "")
  return { ended, loaded }
})

const world = Effect.gen(function*() {
  const source = yield* startFakeRegistry()
  source.add("app", image, "1")
  return { source, backup: yield* startFakeRegistry() }
})

describe("the program", () => {
  it.live("loads no library of a cloud for registries that are none's", () =>
    Effect.gen(function*() {
      const { backup, source } = yield* world
      const { ended, loaded } = yield* clone(source, backup, {})
      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.include(loaded, "main.mjs")
      assert.deepStrictEqual(loaded.filter((it) => /Ecr|aws|smithy|sts|http-handler/i.test(it)), [])
    }).pipe(Effect.provide(NodeServices.layer)), 30_000)

  it.live(
    "logs in to ECR with what a pod's ServiceAccount is given for, by a role of another account",
    () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const { backup, source } = yield* world
        const token = `${yield* fs.makeTempDirectoryScoped()}/token`
        yield* fs.writeFileString(token, "a-service-account's-token")
        const aws = yield* startServer((seen, response) =>
          calledOf(seen).endsWith("AssumeRoleWithWebIdentity")
            ? answerRole(response, "AKIAPOD", "AssumeRoleWithWebIdentity")
            : calledOf(seen).endsWith("AssumeRole")
            ? answerRole(response, "AKIAOTHER")
            : answerJson(response, {
              authorizationData: [{ authorizationToken: tokenOf("pw"), expiresAt: 4_000_000_000 }]
            })
        )
        backup.on(/./, (seen, response, next) =>
          loginOf(seen.headers) === "AWS:pw"
            ? next()
            : void response.writeHead(401, { "www-authenticate": "Basic realm=\"ecr\"" }).end())
        const { ended, loaded } = yield* clone(source, backup, {
          ECR_DOMAINS: `${backup.host}=eu-west-1`,
          ECR_ROLES: `${backup.host}=arn:aws:iam::210987654321:role/copies`,
          AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/pod",
          AWS_WEB_IDENTITY_TOKEN_FILE: token,
          AWS_ENDPOINT_URL: aws.origin
        })
        assert.strictEqual(ended.code, 0, ended.stderr)
        assert.include(loaded, "EcrLibrary.mjs")
        assert.deepStrictEqual(aws.seen.map((it) => calledOf(it).split(" ").at(-1)), [
          "AssumeRoleWithWebIdentity",
          "AssumeRole",
          "GetAuthorizationToken"
        ])
        assert.isDefined(backup.manifest(`mirror/${source.host.replace(":", "_")}/app`, "1"))
      }).pipe(Effect.provide(NodeServices.layer)),
    30_000
  )

  it.live(
    "logs in with what EKS Pod Identity gives: past a proxy, through which ECR is asked",
    () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const { backup, source } = yield* world
        const token = `${yield* fs.makeTempDirectoryScoped()}/token`
        yield* fs.writeFileString(token, "a-pod's-token")
        const aws = yield* startServer((seen, response) =>
          seen.path === "/v1/credentials"
            ? answerJson(response, {
              AccessKeyId: "AKIAPOD",
              SecretAccessKey: "secret",
              Token: "session",
              Expiration: "2099-01-01T00:00:00Z"
            })
            : answerJson(response, {
              authorizationData: [{ authorizationToken: tokenOf("pw"), expiresAt: 4_000_000_000 }]
            })
        )
        backup.on(/./, (seen, response, next) =>
          loginOf(seen.headers) === "AWS:pw"
            ? next()
            : void response.writeHead(401, { "www-authenticate": "Basic realm=\"ecr\"" }).end())
        const proxy = yield* startForwardProxy()
        const { ended } = yield* clone(source, backup, {
          ECR_DOMAINS: `${backup.host}=eu-west-1`,
          AWS_CONTAINER_CREDENTIALS_FULL_URI: `${aws.origin}/v1/credentials`,
          AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: token,
          AWS_ENDPOINT_URL: aws.origin.replace("127.0.0.1", "ecr.test"),
          HTTP_PROXY: proxy.origin
        })
        assert.strictEqual(ended.code, 0, ended.stderr)
        assert.strictEqual(aws.seen[0]?.headers.authorization, "a-pod's-token")
        assert.deepStrictEqual(proxy.seen, [`POST ${aws.origin.replace("127.0.0.1", "ecr.test")}/`])
      }).pipe(Effect.provide(NodeServices.layer)),
    30_000
  )
})
