// PullLogin: whether a Secret is fit to be given to every tenant: it has a login for the backup, and not the one that pushes. Pure.
// Edge: no text of it tells a secret; user names are told, as config.json's messages do.
import { Option, Redacted, Result, Schema } from "effect"
import type { Repository } from "../image/Repository.ts"
import { authsOf, type Credential, type DockerConfig, parseDockerConfig } from "../registry/auth/DockerConfig.ts"

/** The one key of a Secret of type `kubernetes.io/dockerconfigjson` (k8s.io/api core/v1). */
export const configKey = ".dockerconfigjson"
export const configType = "kubernetes.io/dockerconfigjson"

const Secret = Schema.Struct({
  type: Schema.optionalKey(Schema.String),
  data: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.String)))
})
const decodeSecret = Schema.decodeUnknownOption(Secret)

/** What is kept of the Secret: the text of its key as the API has it, in base64. */
export type PullConfig = Redacted.Redacted

/** Reads the answer of a GET; fails with what is wrong, which quotes nothing of it. */
export const readPullConfig = (answer: unknown): Result.Result<PullConfig, string> => {
  const secret = Option.getOrUndefined(decodeSecret(answer))
  if (secret === undefined) return Result.fail("the answer is no Secret")
  const text = secret.data?.[configKey]
  return secret.type === configType && text !== undefined
    ? Result.succeed(Redacted.make(text, { label: "pull secret" }))
    : Result.fail(`it is not of type ${configType}; make it with kubectl create secret docker-registry`)
}

/** User names that registries give to everybody, beside a key or token that tells who it is. */
const everybodys: ReadonlySet<string> = new Set([
  "",
  "_json_key",
  "_json_key_base64",
  "oauth2accesstoken",
  "AWS",
  "$oauthtoken",
  "iamapikey",
  "iambearer",
  "token",
  "00000000-0000-0000-0000-000000000000"
])

/** The texts that prove who somebody is. */
const proofsOf = (credential: Credential): ReadonlyArray<string> =>
  credential._tag === "Basic"
    ? [Redacted.value(credential.password)]
    : [
      Redacted.value(credential.token),
      ...(credential._tag === "IdentityToken" && credential.login !== undefined ? proofsOf(credential.login) : [])
    ]

const userOf = (credential: Credential): string | undefined =>
  credential._tag === "Basic"
    ? credential.username
    : credential._tag === "IdentityToken"
    ? credential.login?.username
    : undefined

/** How two logins are one: by the user, unless everybody has that name, or by what proves it. */
const shared = (pull: Credential, push: Credential): string | undefined => {
  const user = userOf(pull)
  if (user !== undefined && user === userOf(push) && !everybodys.has(user) && !user.startsWith("<")) {
    return `the same user, ${JSON.stringify(user.slice(0, 100))}`
  }
  const proofs = new Set(proofsOf(push).filter((it) => it !== ""))
  return proofsOf(pull).some((it) => proofs.has(it)) ? "the same password or token" : undefined
}

interface Pushing {
  /** `namespace/name` of the Secret. */
  readonly where: string
  readonly backup: Repository
  /** The logins by which copies may be pushed. */
  readonly push: ReadonlyArray<Credential>
}

const configOf = (config: PullConfig): Result.Result<DockerConfig, string> =>
  parseDockerConfig(Buffer.from(Redacted.value(config), "base64").toString("utf8"), configKey)

/** Why a Secret must not be given to tenants, or would be no use to them; undefined where it may be. */
export const unfit = (config: PullConfig, { backup, push, where }: Pushing): string | undefined => {
  const parsed = configOf(config)
  if (Result.isFailure(parsed)) return `Secret ${where}: ${parsed.failure}`
  const { registry, repository } = backup
  const logins = authsOf(parsed.success, registry, repository)
  if (logins.length === 0) return `Secret ${where} has no login for ${registry}, the backup`
  // under another name of the host it is the same login all the same
  const everywhere = parsed.success.auths.map((it) => it.credential)
  for (const login of push) {
    const by = logins.map((it) => shared(it, login)).find((it) => it !== undefined) ??
      everywhere.filter((it) => proofsOf(it).some((text) => text !== "" && proofsOf(login).includes(text)))
        .map(() => "the same password or token").at(0)
    if (by !== undefined) {
      return `Secret ${where} has the login by which copies are pushed to ${registry} (${by} as ${
        login.origin ?? "docker-configuration"
      }), and every tenant could read it: put a login into it that can only pull`
    }
  }
  return undefined
}
