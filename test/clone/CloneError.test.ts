import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { fromRegistry } from "../../src/clone/CloneError.ts"
import { CloudError } from "../../src/registry/identity/CloudError.ts"
import { registryError, type RegistryReason } from "../../src/registry/RegistryError.ts"

const error = (reason: RegistryReason, side: "source" | "backup", retryAfter?: Duration.Duration) =>
  fromRegistry("docker.io/library/nginx:1", side)(
    registryError({ operation: "GET manifest", target: "x", reason, detail: "HTTP 4xx", retryAfter })
  )

describe("fromRegistry", () => {
  it.each<[RegistryReason, string, string]>([
    ["Unauthorized", "private", "denied"],
    ["Denied", "private", "denied"],
    ["NotFound", "not-found", "denied"],
    ["RateLimited", "rate-limited", "rate-limited"],
    ["Unavailable", "unavailable", "unavailable"],
    ["Unreadable", "unavailable", "unavailable"],
    ["NotAllowed", "unsupported", "denied"],
    ["Timeout", "unavailable", "unavailable"],
    ["Unreachable", "unavailable", "unavailable"],
    ["Certificate", "unavailable", "unavailable"],
    ["Internal", "internal", "denied"],
    ["Refused", "refused", "denied"],
    ["TooLarge", "unsupported", "denied"],
    ["Unsupported", "unsupported", "denied"],
    ["Corrupt", "corrupt", "corrupt"],
    ["Quota", "unavailable", "denied"],
    ["Policy", "unavailable", "denied"],
    ["Immutable", "unavailable", "denied"],
    ["Incomplete", "unavailable", "unavailable"]
  ])("%s is %s at the source and %s at the backup", (reason, source, backup) => {
    assert.strictEqual(error(reason, "source").reason, source)
    assert.strictEqual(error(reason, "backup").reason, backup)
  })

  it("reads what ECR says in a 403", () => {
    const said = (text: string, side: "source" | "backup") =>
      fromRegistry("a.test/app:1", side)(
        registryError({ operation: "POST blob", target: "x", reason: "Denied", detail: `HTTP 403: DENIED ${text}` })
      )
    const expired = "Your authorization token has expired. Reauthenticate and try again."
    assert.strictEqual(said(expired, "source").reason, "unavailable")
    assert.notInclude(said(expired, "source").message, "private")
    assert.include(said(expired, "backup").message, "has expired, and is to be renewed")
    const right = "User: arn:aws:iam::1:user/x is not authorized to perform: ecr:InitiateLayerUpload"
    assert.include(said(right, "backup").message, "lacks this action")
    assert.notInclude(said(right, "backup").message, "private")
  })

  it("says which limit is to be raised where a request was too large for what stands before the backup", () => {
    const tooLarge = (status: number | undefined) =>
      fromRegistry("a.test/app:1", "backup")(
        registryError({ operation: "PATCH blob", target: "x", reason: "TooLarge", status, detail: "HTTP 413" })
      ).message
    assert.include(tooLarge(413), "client_max_body_size")
    assert.notInclude(tooLarge(undefined), "client_max_body_size")
  })

  it("says once what to do of a login: that it must be allowed to push, or why none was shown", () => {
    const denied = (shown: boolean) =>
      fromRegistry("nginx", "backup")(registryError({
        operation: "POST blob",
        target: "x",
        reason: "Unauthorized",
        detail: "HTTP 401",
        advice: { text: "asked so", shown }
      })).message
    assert.include(
      denied(true),
      "HTTP 401 (asked so); the backup's entry in DOCKER_CONFIG must be allowed to push there"
    )
    assert.match(denied(false), /HTTP 401 \(asked so\)$/)
  })

  const about = (
    operation: string,
    reason: RegistryReason,
    side: "source" | "backup" = "backup",
    more: Partial<Parameters<typeof registryError>[0]> = {}
  ) =>
    fromRegistry("nginx", side)(registryError({ operation, target: "x", reason, detail: "HTTP 4xx", ...more })).detail

  it("blames no file for a login that a cloud has given", () => {
    const advice = { text: "asked with AWS's token of x", shown: true, byCloud: true } as const
    assert.match(
      about("POST blob", "Denied", "backup", { advice }),
      /token of x\); this identity must be allowed to push/
    )
    const ended = about("POST blob", "Denied", "backup", { advice, detail: "HTTP 403: Your token has expired." })
    assert.notInclude(ended, "DOCKER_CONFIG")
  })

  it("says what a look takes, where a look was refused", () => {
    assert.include(about("HEAD blob", "Denied"), "must be allowed to pull there, and to push")
  })

  it("does not call a registry read-only that has taken the blobs", () => {
    assert.match(about("PUT manifest", "NotAllowed"), /does not take this manifest/)
    assert.match(about("PUT manifest", "Unsupported"), /byte for byte/)
    assert.match(about("PUT manifest", "Invalid"), /byte for byte/)
    assert.strictEqual(about("POST blob", "Invalid"), "POST blob x: HTTP 4xx")
  })

  it("tells a part that the source has lost from an image that it does not have", () => {
    assert.include(about("GET blob", "NotFound", "source"), "its registry has lost it")
    assert.strictEqual(about("GET manifest", "NotFound", "source"), "GET manifest x: HTTP 4xx")
  })

  // what a tired person on call reads: what to do, where the reason alone does not say it
  it.each<[string, RegistryReason, "source" | "backup", number | undefined, RegExp]>([
    ["HEAD manifest", "Unauthorized", "source", 401, /it is private or does not exist$/],
    ["HEAD manifest", "RateLimited", "source", 429, /a login for it in DOCKER_CONFIG may be given more$/],
    ["HEAD manifest", "Policy", "source", 412, /a policy of its registry forbids to read it$/],
    ["HEAD manifest", "Unreadable", "source", 500, /its registry may have it, and fail to read it$/],
    ["copy blob", "Corrupt", "source", undefined, /a proxy or cache on the way, has changed it$/],
    ["GET blob", "NotFound", "source", 404, /its registry has lost it$/],
    ["GET token", "NotFound", "source", 404, /the token server is gone, or knows no such repository/],
    ["GET token", "NotFound", "backup", 404, /the token server is gone, or knows no such repository/],
    ["GET token", "Invalid", "backup", 410, /the token server is gone, or knows no such repository/],
    ["GET token", "Unavailable", "source", 503, /HTTP 4xx$/],
    ["GET blob", "NotFound", "backup", 404, /image-cloner verify --repair sends it again$/],
    ["POST blob", "NotFound", "backup", 404, /wants the repository or project created first$/],
    ["POST blob", "RateLimited", "backup", 429, /takes no more for now$/],
    ["PUT manifest", "Incomplete", "backup", 400, /lost a part that it had: it is sent again$/],
    ["PUT blob", "Corrupt", "backup", 400, /it was right when it was sent: /],
    ["HEAD manifest", "Unreadable", "backup", 500, /image-cloner verify tells$/],
    ["PUT blob", "Quota", "backup", 403, /quota is used up$/]
  ])("of %s, %s at the %s (%s) ends with what to do", (operation, reason, side, status, expected) => {
    assert.match(about(operation, reason, side, { status }), expected)
  })

  it("does not call an image gone, or a repository missing, because a token server is", () => {
    for (const side of ["source", "backup"] as const) {
      const gone = fromRegistry("nginx", side)(
        registryError({
          operation: "GET token",
          target: "x",
          reason: "NotFound",
          status: 404,
          detail: "a.test: HTTP 404"
        })
      )
      assert.deepInclude({ ...gone }, { reason: "unavailable", retryable: true })
      assert.notMatch(gone.message, /not-found|created first/)
    }
  })

  it("does not call an image private whose registry wants a client certificate", () => {
    const detail = "a.test: the host wants a client certificate that it trusts"
    for (const side of ["source", "backup"] as const) {
      assert.strictEqual(
        about("HEAD manifest", "Unauthorized", side, { detail, cause: new Error("alert") }),
        `HEAD manifest x: ${detail}`
      )
    }
  })

  it("keeps whether and when, and says what to do", () => {
    const limited = error("RateLimited", "source", Duration.minutes(5))
    assert.isTrue(limited.retryable)
    assert.deepStrictEqual(limited.retryAfter, Duration.minutes(5))
    assert.isFalse(error("NotFound", "source").retryable)
    assert.isTrue(error("Incomplete", "backup").retryable)
    assert.include(error("Denied", "source").message, "private or does not exist")
    assert.include(error("Denied", "backup").message, "DOCKER_CONFIG")
    assert.include(error("NotFound", "backup").message, "created first")
    assert.include(error("NotAllowed", "backup").message, "is it read-only, or a cache of another?")
    assert.include(error("Immutable", "backup").message, "moved")
    assert.include(error("Quota", "backup").message, "docker.io/library/nginx:1 was not cloned (denied, backup)")
  })
})

describe("a backup in a cloud that refuses", () => {
  const refused = (detail: string, cause?: unknown) =>
    fromRegistry("docker.io/library/nginx:1", "backup")(
      registryError({ operation: "POST blob", target: "x", reason: "Denied", detail, cause })
    ).detail

  it("is told with what its words mean, and no file is blamed", () => {
    const detail = refused(
      "HTTP 403: User: a is not authorized to perform: ecr:PutImage on resource: x because no resource-based policy allows it"
    )
    assert.match(detail, /another account's/)
    assert.notInclude(detail, "DOCKER_CONFIG")
  })

  it("before it was asked is told as the cloud's failure", () => {
    const cloud = new CloudError({
      cloud: "AWS",
      identity: "us",
      action: "ecr:CreateRepository",
      resource: "x",
      detail: "no",
      retryable: false
    })
    assert.strictEqual(refused(cloud.message, cloud), `POST blob x: ${cloud.message}`)
  })

  it("without such words is told as ever", () => {
    assert.include(refused("HTTP 403"), "DOCKER_CONFIG")
  })
})
