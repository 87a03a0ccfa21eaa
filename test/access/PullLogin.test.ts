import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import { inspect } from "node:util"
import { type PullConfig, readPullConfig, unfit } from "../../src/access/PullLogin.ts"
import { basic, identityToken } from "../../src/registry/auth/DockerConfig.ts"

const backup = { registry: "registry.example.com", repository: "copies" }
const where = "image-cloner/backup-pull"

const secret = (auths: Record<string, unknown>) => ({
  type: "kubernetes.io/dockerconfigjson",
  data: { ".dockerconfigjson": Buffer.from(JSON.stringify({ auths })).toString("base64") }
})

const configOf = (auths: Record<string, unknown>): PullConfig => Result.getOrThrow(readPullConfig(secret(auths)))

const login = (username: string, password: string) => ({ username, password })

describe("a Secret for every tenant", () => {
  it("is fit where it has a login for the backup that is not the one that pushes", () => {
    const config = configOf({ "registry.example.com": login("puller", "pull-word") })
    assert.isUndefined(unfit(config, { where, backup, push: [basic("pusher", "push-word")] }))
    assert.isUndefined(unfit(config, { where, backup, push: [] }))
  })

  it("is refused with the login that pushes, and both places are named", () => {
    const push = [{
      ...basic("cloner", "push-word"),
      origin: "auths of \"registry.example.com\" in /docker/config.json"
    }]
    for (
      const auths of [
        { "registry.example.com": login("cloner", "push-word") },
        { "registry.example.com": login("cloner", "another-word") },
        { "registry.example.com/copies": login("other", "push-word") },
        { "registry.example.com": login("puller", "pull-word"), "https://mirror.example.com": login("x", "push-word") }
      ]
    ) {
      const problem = unfit(configOf(auths), { where, backup, push }) ?? assert.fail("it was let through")
      assert.include(problem, `Secret ${where}`)
      assert.include(problem, "/docker/config.json")
      assert.include(problem, "can only pull")
      assert.notInclude(problem, "-word")
    }
  })

  it("is not refused for a user name that everybody has, but for its key", () => {
    const push = [basic("_json_key", "push-key")]
    const given = (key: string) => configOf({ "registry.example.com": login("_json_key", key) })
    assert.isUndefined(unfit(given("pull-key"), { where, backup, push }))
    assert.include(unfit(given("push-key"), { where, backup, push }), "the same password or token")
  })

  it("is refused with the token that pushes", () => {
    const config = configOf({ "registry.example.com": { identitytoken: "push-token" } })
    assert.include(unfit(config, { where, backup, push: [identityToken("push-token")] }), "token")
    assert.isUndefined(unfit(config, { where, backup, push: [identityToken("other")] }))
  })

  it("is of no use without a login for the backup", () => {
    const config = configOf({ "elsewhere.example.com": login("puller", "pull-word") })
    assert.strictEqual(
      unfit(config, { where, backup, push: [] }),
      `Secret ${where} has no login for registry.example.com, the backup`
    )
  })

  it("is told by its type, and what is no such Secret is not quoted", () => {
    for (
      const answer of [undefined, "secret-word", { data: 1 }, { type: "Opaque", data: { password: "secret-word" } }]
    ) {
      const read = readPullConfig(answer)
      assert.isTrue(Result.isFailure(read))
      assert.notInclude(inspect(read), "secret-word")
    }
    const broken: PullConfig = Redacted.make(Buffer.from("secret-word {").toString("base64"))
    assert.notInclude(unfit(broken, { where, backup, push: [] }) ?? assert.fail("it was let through"), "secret-word")
  })

  it("does not show in what is printed", () => {
    const config = configOf({ "registry.example.com": login("puller", "pull-word") })
    assert.notInclude(inspect(config, { depth: 9 }), Redacted.value(config))
    assert.notInclude(JSON.stringify(config), Redacted.value(config))
  })
})
