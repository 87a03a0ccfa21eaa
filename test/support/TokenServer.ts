// A token server as Distribution wants it: JWTs signed with a certificate that the registry trusts, for what was asked for as
// far as it may be given. Source: distribution docs/spec/auth/{token,jwt,scope}.md.
import { Effect, type Scope } from "effect"
import { randomUUID, sign, X509Certificate } from "node:crypto"
import { makeCertificates, type Pair } from "../kube/Certificates.ts"
import { startServer } from "./FakeRegistry.ts"
import type { RealRegistryOptions } from "./RealRegistry.ts"

type Action = "pull" | "push" | "delete"

export interface TokenServerOptions {
  /** Names and passwords of those who can log in. */
  readonly users: Readonly<Record<string, string>>
  /** What somebody may do at a repository; `who` is undefined for anybody. */
  readonly may: (who: string | undefined, repository: string) => ReadonlyArray<Action>
  /** Refuses requests for more than one repository. */
  readonly oneScope?: boolean
  /** Seconds for which registries take a token, up to one more; they and their clients are told of minutes. */
  readonly life: number
}

/** One request for a token. */
export interface Asked {
  readonly who: string | undefined
  readonly service: string
  readonly scopes: ReadonlyArray<string>
  readonly status: number
}

export interface TokenServer {
  readonly asked: ReadonlyArray<Asked>
  /** For a registry that takes its tokens. */
  readonly trustedAs: (service: string) => NonNullable<RealRegistryOptions["token"]>
  /** The value of an Authorization header that may do everything at a repository, for a minute. */
  readonly authorization: (service: string, repository: string) => string
}

interface Access {
  readonly type: string
  readonly name: string
  readonly actions: ReadonlyArray<string>
}

const issuer = "test-issuer"
/** Distribution takes tokens for so many seconds longer than they say. */
const leeway = 60

const encode = (json: unknown) => Buffer.from(JSON.stringify(json)).toString("base64url")

const tokenOf = ({ cert, key }: Pair, service: string, access: ReadonlyArray<Access>, life: number): string => {
  const now = Math.ceil(Date.now() / 1000)
  const certificate = new X509Certificate(cert).raw.toString("base64")
  const header = encode({ typ: "JWT", alg: "ES256", x5c: [certificate] })
  const claims = encode({
    iss: issuer,
    sub: "somebody",
    aud: service,
    exp: now + life - leeway,
    nbf: now - leeway,
    iat: now - leeway,
    jti: randomUUID(),
    access
  })
  const signature = sign("sha256", Buffer.from(`${header}.${claims}`), { key, dsaEncoding: "ieee-p1363" })
  return `${header}.${claims}.${signature.toString("base64url")}`
}

const scopeOf = (text: string): Access => {
  const [type = "", name = "", actions = ""] = text.split(":")
  return { type, name, actions: actions.split(",") }
}

/** Runs until the scope ends. */
export const startTokenServer = (options: TokenServerOptions): Effect.Effect<TokenServer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { ca, server: pair } = yield* Effect.promise(makeCertificates)
    const asked: Array<Asked> = []
    const server = yield* startServer(({ headers, query }, response) => {
      const [name, password] = Buffer.from(headers.authorization?.split(" ")[1] ?? "", "base64").toString().split(":")
      const who = headers.authorization === undefined ? undefined : name ?? ""
      const scopes = query.getAll("scope")
      const service = query.get("service") ?? ""
      const end = (status: number, body: object) => {
        asked.push({ who, service, scopes, status })
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
      }
      if (who !== undefined && (password === undefined || options.users[who] !== password)) return end(401, {})
      if (options.oneScope === true && scopes.length > 1) return end(400, {})
      const access = scopes.map(scopeOf).map((it) => {
        const may: ReadonlyArray<string> = options.may(who, it.name)
        return { ...it, actions: it.actions.filter((action) => may.includes(action)) }
      })
      return end(200, { token: tokenOf(pair, service, access, options.life), expires_in: 300 })
    })
    return {
      asked,
      trustedAs: (service) => ({
        realm: `http://localhost:${server.host.split(":")[1]}/token`,
        issuer,
        service,
        authority: ca
      }),
      authorization: (service, repository) =>
        `Bearer ${
          tokenOf(pair, service, [{ type: "repository", name: repository, actions: ["pull", "push"] }], leeway)
        }`
    }
  })
