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

/** Of the libraries of clouds, by what is loaded with each. */
const isCloudLibrary = (file: string): boolean => file.endsWith("Library.mjs")

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

const portOf = (server: FakeRegistry): number => Number(server.host.split(":")[1])

/** A registry that takes this login, by Basic, and no other. */
const allow = (registry: FakeRegistry, login: string) =>
  registry.on(/./, (seen, response, next) =>
    loginOf(seen.headers) === login
      ? next()
      : void response.writeHead(401, { "www-authenticate": "Basic realm=\"cloud\"" }).end())

/** A registry as Azure has them: a token of Entra for a refresh token, and that for one of access. */
const asAcr = (registry: FakeRegistry, name: string) =>
  registry.on(/./, (seen, response, next) => {
    const form = Object.fromEntries(new URLSearchParams(seen.body.toString()))
    if (seen.path === "/oauth2/exchange" && form["access_token"] === "entra's" && form["service"] === name) {
      return answerJson(response, { refresh_token: "refreshed" })
    }
    if (seen.path === "/oauth2/token" && form["refresh_token"] === "refreshed") {
      return answerJson(response, { access_token: "accessed" })
    }
    if (seen.headers.authorization === "Bearer accessed") return next()
    return void response.writeHead(401, {
      "www-authenticate": `Bearer realm="http://${name}/oauth2/token",service="${name}"`
    }).end()
  })

describe("the program", () => {
  it.live("loads no library of a cloud for registries that are none's", () =>
    Effect.gen(function*() {
      const { backup, source } = yield* world
      const { ended, loaded } = yield* clone(source, backup, {})
      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.include(loaded, "main.mjs")
      assert.deepStrictEqual(
        loaded.filter((it) => isCloudLibrary(it) || /Ecr|Google|aws|smithy|sts|http-handler/i.test(it)),
        []
      )
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

  /** Copies to a backup that has a cloud's name, by way of a proxy that knows where that is. */
  const cloneTo = Effect.fnUntraced(function*(
    name: string,
    { backup, source }: Effect.Success<typeof world>,
    env: Record<string, string>
  ) {
    const proxy = yield* startForwardProxy({ ports: { [name]: portOf(backup) } })
    const { ended, loaded } = yield* clone(source, backup, {
      BACKUP_REGISTRY: `${name}/mirror`,
      PLAIN_HTTP_REGISTRIES: `${source.host},${name}`,
      HTTP_PROXY: proxy.origin,
      HOME: "/nonexistent",
      ...env
    })
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.isDefined(backup.manifest(`mirror/${source.host.replace(":", "_")}/app`, "1"))
    return { loaded: loaded.filter(isCloudLibrary), proxied: proxy.seen, said: ended.stderr }
  })

  it.live(
    "logs in to Artifact Registry with what GKE's metadata service gives, and loads no library",
    () =>
      Effect.gen(function*() {
        const all = yield* world
        const metadata = yield* startServer((seen, response) =>
          seen.path.endsWith("/token")
            ? answerJson(response, { access_token: "google's", expires_in: 3600 })
            : void response.writeHead(404).end()
        )
        allow(all.backup, "oauth2accesstoken:google's")
        const { loaded, proxied } = yield* cloneTo("europe-docker.pkg.dev", all, { GCE_METADATA_HOST: metadata.host })
        assert.deepStrictEqual(loaded, [])
        assert.isTrue(proxied.every((it) => it.includes("europe-docker.pkg.dev")))
      }).pipe(Effect.provide(NodeServices.layer)),
    30_000
  )

  it.live(
    "logs in to Artifact Registry by workload identity federation, by Google's library, through a proxy",
    () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const all = yield* world
        const google = yield* startServer((_, response) =>
          answerJson(response, { access_token: "google's", expires_in: 3600, token_type: "Bearer" })
        )
        const sts = `${google.origin.replace("127.0.0.1", "sts.test")}/v1/token`
        const folder = yield* fs.makeTempDirectoryScoped()
        yield* fs.writeFileString(`${folder}/token`, "a-service-account's")
        yield* fs.writeFileString(
          `${folder}/config.json`,
          JSON.stringify({
            type: "external_account",
            audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
            subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
            token_url: sts,
            credential_source: { file: `${folder}/token` }
          })
        )
        allow(all.backup, "oauth2accesstoken:google's")
        const { loaded, proxied, said } = yield* cloneTo("europe-docker.pkg.dev", all, {
          GOOGLE_APPLICATION_CREDENTIALS: `${folder}/config.json`
        })
        assert.deepStrictEqual(loaded, ["GoogleLibrary.mjs"])
        assert.lengthOf(google.seen, 1)
        assert.strictEqual(
          new URLSearchParams(google.seen[0]?.body.toString()).get("subject_token"),
          "a-service-account's"
        )
        assert.include(proxied, `POST ${sts}`)
        assert.notMatch(said, /deprecat/)
      }).pipe(Effect.provide(NodeServices.layer)),
    30_000
  )

  it.live(
    "logs in to Azure's registry with the pod's workload identity, and with the node's",
    () =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const token = `${yield* fs.makeTempDirectoryScoped()}/token`
        yield* fs.writeFileString(token, "a-service-account's")
        for (const kind of ["workload", "node"]) {
          const all = yield* world
          const entra = yield* startServer((_, response) =>
            answerJson(response, { access_token: "entra's", expires_in: "3600" })
          )
          asAcr(all.backup, "example.azurecr.io")
          const { loaded } = yield* cloneTo(
            "example.azurecr.io",
            all,
            kind === "node" ? { AZURE_POD_IDENTITY_AUTHORITY_HOST: entra.origin } : {
              AZURE_TENANT_ID: "t",
              AZURE_CLIENT_ID: "c",
              AZURE_FEDERATED_TOKEN_FILE: token,
              AZURE_AUTHORITY_HOST: entra.origin
            }
          )
          assert.deepStrictEqual(loaded, [])
          assert.deepStrictEqual(entra.seen.map((it) => it.path), [
            kind === "node" ? "/metadata/identity/oauth2/token" : "/t/oauth2/v2.0/token"
          ])
          assert.strictEqual(all.backup.count(/exchange/), 1)
        }
      }).pipe(Effect.provide(NodeServices.layer)),
    60_000
  )
})
