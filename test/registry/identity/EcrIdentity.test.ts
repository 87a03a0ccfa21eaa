// ECR's logins by the real SDK, in a world that is one loopback server: which API is asked, as whom, and what its errors come to.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { basic } from "../../../src/registry/auth/DockerConfig.ts"
import { type CloudOptions, cloudOptionsOf, hostIn } from "../../../src/registry/identity/CloudOptions.ts"
import type { CloudQuestion } from "../../../src/registry/identity/CloudProvider.ts"
import { type Settings, settingsOf } from "../../../src/settings/Settings.ts"
import { answerJson, answerRole, calledOf, ownKey, signedBy, startAws, tokenOf } from "./AwsWorld.ts"

const host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
const end = 4_000_000_000

const question = (registry = host, more: Partial<Settings> = {}): CloudQuestion => {
  const options: CloudOptions = cloudOptionsOf(settingsOf("a.b/c", more))
  const known = hostIn(options, registry)
  return known === undefined ? assert.fail(`${registry} is no host of AWS`) : { registry, host: known, options }
}

const role = "arn:aws:iam::210987654321:role/copies"
const withRole = { ECR_ROLES: [`*.dkr.ecr.*.amazonaws.com=${role}#their-id`] }

/** Gives tokens for ever. */
const generous = startAws((seen, response) =>
  calledOf(seen).endsWith("AssumeRole")
    ? answerRole(response, "AKIAROLE")
    : calledOf(seen).includes("ecr-public")
    ? answerJson(response, { authorizationData: { authorizationToken: tokenOf("public"), expiresAt: end } })
    : answerJson(response, { authorizationData: [{ authorizationToken: tokenOf("private"), expiresAt: end }] })
)

describe("a login to ECR", () => {
  it.live("is the token, to its end", () =>
    Effect.gen(function*() {
      const { provider, world } = yield* generous
      assert.deepStrictEqual(yield* provider.token(question()), {
        credential: { ...basic("AWS", "private"), origin: "AWS's token of what AWS_ACCESS_KEY_ID names" },
        expiresAt: end * 1000
      })
      assert.deepStrictEqual(world.seen.map(calledOf), ["api.ecr.eu-west-1.amazonaws.com GetAuthorizationToken"])
      assert.match(world.seen.map(signedBy).join(), new RegExp(`^${ownKey}/\\d{8}/eu-west-1/ecr/aws4_request$`))
    }))

  it.live.each([
    ["123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "api.ecr.cn-north-1.amazonaws.com.cn"],
    ["123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "api.ecr-fips.us-east-1.amazonaws.com"],
    ["123456789012.dkr-ecr.us-east-1.on.aws", "ecr.us-east-1.api.aws"],
    ["123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "api.ecr.eusc-de-east-1.amazonaws.eu"],
    ["123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "api.ecr.us-iso-east-1.c2s.ic.gov"],
    ["public.ecr.aws", "api.ecr-public.us-east-1.amazonaws.com"]
  ])("of %s is asked for at %s", ([registry, api]) =>
    Effect.gen(function*() {
      const { provider, world } = yield* generous
      yield* provider.token(question(registry))
      assert.deepStrictEqual(world.seen.map(calledOf), [`${api} GetAuthorizationToken`])
    }))

  it.live("of a role is asked for with the role's credentials, which are kept", () =>
    Effect.gen(function*() {
      const { provider, world } = yield* generous
      yield* provider.token(question(host, withRole))
      yield* provider.token(question(host, withRole))
      assert.deepStrictEqual(world.seen.map(calledOf), [
        "sts.eu-west-1.amazonaws.com AssumeRole",
        "api.ecr.eu-west-1.amazonaws.com GetAuthorizationToken",
        "api.ecr.eu-west-1.amazonaws.com GetAuthorizationToken"
      ])
      const asked = new URLSearchParams(world.seen[0]?.body.toString())
      assert.strictEqual(asked.get("RoleArn"), role)
      assert.strictEqual(asked.get("ExternalId"), "their-id")
      assert.deepStrictEqual(world.seen.map((it) => signedBy(it).split("/")[0]), [ownKey, "AKIAROLE", "AKIAROLE"])
    }))

  it.live("is one for all registries of a region, and another with FIPS, in another region and as another role", () =>
    Effect.gen(function*() {
      const { provider } = yield* generous
      const keyOf = (registry: string, more?: Partial<Settings>) => provider.keyOf(question(registry, more))
      assert.strictEqual(keyOf(host), keyOf(host.replace("1", "2")))
      assert.strictEqual(keyOf(host), keyOf("123456789012.dkr-ecr.eu-west-1.on.aws"))
      const others = [
        keyOf(host),
        keyOf(host.replace("west", "east")),
        keyOf(host.replace("ecr.", "ecr-fips.")),
        keyOf(host, withRole),
        keyOf(host, { ECR_ROLES: withRole.ECR_ROLES.map((it) => it.replace("their", "our")) }),
        keyOf("public.ecr.aws")
      ]
      assert.strictEqual(new Set(others).size, others.length)
    }))
})

/** The failure of one question, to a server that answers so. */
const failure = (status: number, name: string, message: string, more: Partial<Settings> = {}) =>
  Effect.gen(function*() {
    const { provider, world } = yield* startAws((_, response) =>
      answerJson(response, { __type: name, message }, status)
    )
    const error = yield* Effect.flip(provider.token(question(host, more)))
    return { error, asked: world.seen.length }
  })

describe("a login that does not come", () => {
  it.live("by a policy names action, registry, identity and hint, and is asked for once", () =>
    Effect.gen(function*() {
      const said = "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: ecr:GetAuthorizationToken on "
        + "resource: * because no identity-based policy allows the ecr:GetAuthorizationToken action"
      const { asked, error } = yield* failure(400, "AccessDeniedException", said)
      assert.strictEqual(
        error.message,
        `AWS as what AWS_ACCESS_KEY_ID names: ecr:GetAuthorizationToken for ${host}: AccessDeniedException: ${said}. `
          + "The IAM policy of our role lacks this action"
      )
      assert.isFalse(error.retryable)
      assert.strictEqual(asked, 1)
    }))

  it.live("because the role is not given names the role", () =>
    Effect.gen(function*() {
      const { provider } = yield* startAws((_, response) => {
        response.writeHead(403, { "content-type": "text/xml" }).end(
          "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/a is not "
            + "authorized to perform: sts:AssumeRole on resource: x</Message></Error></ErrorResponse>"
        )
      })
      const error = yield* Effect.flip(provider.token(question(host, withRole)))
      assert.match(error.message, new RegExp(`^AWS as ${role}, assumed by .*sts:AssumeRole.*trust policy.*external id`))
      assert.isFalse(error.retryable)
    }))

  it.live("because the service is ill may come later", () =>
    Effect.gen(function*() {
      const { asked, error } = yield* failure(503, "ServiceUnavailableException", "later")
      assert.isTrue(error.retryable)
      assert.strictEqual(asked, 2)
    }))

  it.live("because too many ask may come later", () =>
    Effect.gen(function*() {
      assert.isTrue((yield* failure(400, "ThrottlingException", "Rate exceeded")).error.retryable)
    }))

  it.live("for a wrong signature does not tell what was signed", () =>
    Effect.gen(function*() {
      const said =
        "The request signature we calculated does not match.\n\nThe Canonical String for this request should "
        + "have been\n'POST\nx-amz-security-token:SECRET'"
      const { error } = yield* failure(403, "InvalidSignatureException", said)
      assert.match(error.message, /does not match/)
      assert.notMatch(error.message, /SECRET|Canonical/)
    }))

  it.live.each<[string, unknown]>([
    ["nothing", {}],
    ["an empty list", { authorizationData: [] }],
    ["no base64 of user:password", { authorizationData: [{ authorizationToken: "Zm9v" }] }],
    ["an empty password", { authorizationData: [{ authorizationToken: tokenOf("") }] }]
  ])("but %s is a failure", ([, body]) =>
    Effect.gen(function*() {
      const { provider } = yield* startAws((_, response) => answerJson(response, body))
      assert.match((yield* Effect.flip(provider.token(question()))).message, /no token/)
    }))

  it.live("from a service that cuts the connection may come later", () =>
    Effect.gen(function*() {
      const { provider } = yield* startAws((_, response) => response.destroy())
      const error = yield* Effect.flip(provider.token(question()))
      assert.isTrue(error.retryable)
    }))

  it.effect("from a service that says nothing is a failure after half a minute", () =>
    Effect.gen(function*() {
      const { provider } = yield* startAws(() => {})
      const waiting = yield* Effect.forkChild(Effect.flip(provider.token(question())), { startImmediately: true })
      yield* TestClock.adjust("30 seconds")
      assert.match((yield* Fiber.join(waiting)).message, /no answer in 30 seconds/)
    }))

  it.live("where nobody is anybody says which variables are missing", () =>
    Effect.gen(function*() {
      const { provider, world } = yield* startAws(() => {}, {})
      const error = yield* Effect.flip(provider.token(question()))
      assert.match(error.message, /whoever this node is \(AWS_ACCESS_KEY_ID, .* are not set\)/)
      assert.match(error.message, /Could not load credentials.*Pod Identity/)
      assert.lengthOf(world.seen, 0)
    }))
})
