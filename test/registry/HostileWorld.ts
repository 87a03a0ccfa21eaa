// A source, a backup, a content host, token servers and an evil registry behind a recording proxy, each with names of its own;
// they are sane unless told otherwise. Everything that they are sent is recorded, and judged: what was sent where it had no
// business to be.
import { Effect, FileSystem, Option, Redacted, type Scope } from "effect"
import type { ServerResponse } from "node:http"
import { basic, type Credential, identityToken } from "../../src/registry/auth/DockerConfig.ts"
import { parseProxies } from "../../src/settings/Proxies.ts"
import type { makeCertificatesFor } from "../kube/Certificates.ts"
import { refuse, type Seen, startFakeRegistry, startServer } from "../support/FakeRegistry.ts"
import { startForwardProxy } from "../support/ForwardProxy.ts"
import type { TestOptions } from "../support/Registries.ts"
import { imageOf, indexOf, layerOf } from "../support/TestImages.ts"
import { type Host, type HostileAnswer, hosts, render } from "./HostileAnswers.ts"

export const names: Readonly<Record<Host, string>> = {
  source: "registry.source.test",
  sourceRealm: "auth.source.test",
  backup: "registry.backup.test",
  backupRealm: "auth.backup.test",
  cdn: "cdn.other.test",
  evil: "registry.evil.test"
}

export const image = imageOf([layerOf("fuzz", 5000), layerOf("more", 300)])
const index = indexOf([image, imageOf([layerOf("arm", 700)], { architecture: "arm64" })])

const secretOf = { source: "S3CRET-SOURCE", backup: "S3CRET-BACKUP", evil: "S3CRET-EVIL" } as const
type Owner = keyof typeof secretOf
const proxySecret = "S3CRET-PROXY"
const loginOf = (owner: Owner, more = "") => basic(`${owner}${more}`, `${secretOf[owner]}${more}`)
const headerOf = (owner: Owner, more = "") =>
  Buffer.from(`${owner}${more}:${secretOf[owner]}${more}`).toString("base64")

/** What proves to be an owner, in every form in which it could be sent, and the tokens that were got by it. */
const marksOf = (owner: Owner): ReadonlyArray<string> => [
  secretOf[owner],
  headerOf(owner),
  headerOf(owner, "-second"),
  `PRIV-${owner}`
]
/** All that nobody may ever read in a message. */
export const secrets: ReadonlyArray<string> = [
  ...marksOf("source"),
  ...marksOf("backup"),
  ...marksOf("evil"),
  proxySecret,
  "PRIVATE KEY"
]

export type Logins = "basic" | "several" | "identity" | "registry" | "none"

const credentialsOf = (owner: Owner, logins: Logins): ReadonlyArray<Credential> => {
  switch (logins) {
    case "none":
      return []
    case "basic":
      return [loginOf(owner)]
    case "several":
      return [loginOf(owner, "-second"), loginOf(owner)]
    case "identity":
      return [identityToken(`${secretOf[owner]}-refresh`, loginOf(owner))]
    case "registry":
      return [{
        _tag: "RegistryToken",
        token: Redacted.make(`PRIV-${owner}`, { label: "registrytoken" }),
        fingerprint: `registry ${owner}`
      }]
  }
}

interface Recorded extends Seen {
  readonly host: Host
  readonly response: ServerResponse
}

export interface HostileWorld {
  readonly hosts: Readonly<Record<Host, string>>
  readonly options: TestOptions
  /** Everything that was sent where it had no business to be; empty is good. */
  readonly violations: () => ReadonlyArray<string>
  readonly requests: () => number
}

const wholeOf = (it: Recorded): string =>
  [it.path, it.query.toString(), JSON.stringify(it.headers), it.body.toString("latin1")].join("\n")

const ownerOf = (seen: Seen): Owner | undefined => {
  const whole = `${seen.headers.authorization ?? ""} ${seen.query} ${seen.body.toString("latin1")}`
  return (["backup", "source", "evil"] as const).find((owner) => marksOf(owner).some((it) => whole.includes(it)))
}

export const startHostileWorld = (given: {
  readonly answers: ReadonlyArray<HostileAnswer>
  readonly logins: Logins
  readonly byHand: boolean
  readonly tls: Awaited<ReturnType<typeof makeCertificatesFor>> | undefined
}): Effect.Effect<HostileWorld, never, Scope.Scope | FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const log: Array<Recorded> = []
    const ports: Partial<Record<Host, string>> = {}
    const hostOf = (host: Host) => `${names[host]}:${ports[host]}`
    const scheme = given.tls === undefined ? "http" : "https"
    const place = (text: string) =>
      hosts.reduce((sofar, host) => sofar.replaceAll(`{${host}}`, hostOf(host)), text.replaceAll("{scheme}", scheme))
    const left = given.answers.map((answer) => ({ answer, times: answer.times }))

    /** Answers as the script says; false where it says nothing. */
    const hostile = (host: Host, seen: Seen, response: ServerResponse, sane: () => void): boolean => {
      log.push({ ...seen, host, response })
      const found = left.find(({ answer, times }) =>
        answer.host === host && times > 0 && (answer.method === "any" || answer.method === seen.method) &&
        seen.path.includes(answer.path)
      )
      if (found === undefined) return false
      found.times--
      const { body, headers, status } = render(found.answer, place)
      if (body === undefined) {
        for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
        if (status < 300) {
          sane()
          return true
        }
      }
      response.writeHead(status, headers)
      if (found.answer.end === "whole") response.end(seen.method === "HEAD" ? undefined : body ?? "")
      else {
        response.write(body === undefined || body === "" ? "x" : body)
        if (found.answer.end === "cut") response.destroy()
      }
      return true
    }

    const tls = given.tls === undefined ? undefined : {
      certificate: given.tls.server.cert,
      key: given.tls.server.key,
      clients: given.tls.ca
    }
    const portOf = (at: { readonly host: string }) => at.host.replace(/^.*:/, "")
    const challenge = (response: ServerResponse, realm: Host) =>
      refuse(response, 401, "UNAUTHORIZED", {
        "www-authenticate": `Bearer realm="${place(`{scheme}://{${realm}}/token`)}",service="registry"`
      })

    for (const host of ["source", "backup", "evil", "cdn"] as const) {
      const registry = yield* startFakeRegistry(tls)
      ports[host] = portOf(registry)
      for (const repository of ["source/app", "private/app", "mirror/app", "evil/app"]) {
        registry.add(repository, image, "1")
        registry.add(repository, index, "2")
      }
      registry.on(/./, (seen, response, next) => {
        const sane = () => {
          if (host === "evil" || host === "cdn") return next()
          const isPrivate = seen.path.startsWith("/v2/private/") || host === "backup"
          const bearer = seen.headers.authorization ?? ""
          if (bearer.includes(`PRIV-${host}`) || (!isPrivate && bearer.includes("ANON"))) return next()
          return challenge(response, host === "backup" ? "backupRealm" : "sourceRealm")
        }
        if (!hostile(host, seen, response, sane)) sane()
      })
    }
    for (const host of ["sourceRealm", "backupRealm"] as const) {
      const realm = yield* startServer((seen, response) => {
        const sane = () => {
          const owner = ownerOf(seen)
          response.writeHead(200, { "content-type": "application/json" })
          response.end(JSON.stringify({ token: owner === undefined ? "ANON" : `PRIV-${owner}`, expires_in: 300 }))
        }
        if (!hostile(host, seen, response, sane)) sane()
      }, tls)
      ports[host] = portOf(realm)
    }
    const proxy = yield* startForwardProxy()

    const fs = yield* FileSystem.FileSystem
    const certificates = yield* Effect.orDie(fs.makeTempDirectoryScoped())
    if (given.tls !== undefined) {
      for (const host of hosts) {
        const folder = `${certificates}/certs.d/${hostOf(host)}`
        yield* Effect.orDie(fs.makeDirectory(folder, { recursive: true }))
        yield* Effect.orDie(fs.writeFileString(`${folder}/ca.crt`, given.tls.ca))
        if (host === "cdn") continue
        yield* Effect.orDie(fs.writeFileString(`${folder}/me.cert`, given.tls.client.cert))
        yield* Effect.orDie(fs.writeFileString(`${folder}/me.key`, given.tls.client.key))
      }
    }
    const through = proxy.origin.replace("//", `//proxy:${proxySecret}@`)
    const owners: Readonly<Record<string, Owner>> = {
      [hostOf("source")]: "source",
      [hostOf("backup")]: "backup",
      [hostOf("evil")]: "evil"
    }
    const options: TestOptions = {
      backup: hostOf("backup"),
      plainHttp: given.tls === undefined ? [hostOf("source"), hostOf("backup"), hostOf("evil")] : [],
      sourceCredentials: given.byHand ? "always" : "proven-public",
      referrers: true,
      credentials: (registry) => {
        const owner = owners[registry]
        return owner === undefined ? undefined : credentialsOf(owner, given.logins)
      },
      certificates,
      // nothing resolves here: the proxy is the only way
      lookup: (hostname, _, callback) =>
        callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: "ENOTFOUND" }), "", 0),
      proxies: parseProxies((name) => /^HTTPS?_PROXY$/.test(name) ? Option.some(through) : Option.none()).proxies
    }

    const violations = (): ReadonlyArray<string> => {
      const found: Array<string> = []
      const realms: Readonly<Record<Owner, ReadonlyArray<Host>>> = {
        source: ["source", "sourceRealm"],
        backup: ["backup", "backupRealm"],
        evil: ["evil"]
      }
      // whoever serves the backup may send its own clients where it likes on its own host
      const sentToPrivate = given.answers.some((it) =>
        (it.host === "backup" || it.host === "backupRealm") && JSON.stringify(it).includes("private")
      )
      const proven = new Set<string>()
      for (const it of log) {
        const whole = wholeOf(it)
        const what = `${it.method} ${it.host} ${it.path}?${it.query} (${it.headers.authorization ?? "-"}, ${
          it.client ?? "-"
        })`
        if (whole.includes(proxySecret) || it.headers["proxy-authorization"] !== undefined) found.push(`proxy: ${what}`)
        const repository = /^\/v2\/(\w+\/\w+)\//.exec(it.path)?.[1] ?? ""
        const scopes = it.query.getAll("scope").concat(new URLSearchParams(it.body.toString("latin1")).getAll("scope"))
        const isToken = it.host.endsWith("Realm") || scopes.length > 0
        for (const owner of ["source", "backup", "evil"] as const) {
          if (!marksOf(owner).some((mark) => whole.includes(mark))) continue
          if (!realms[owner].includes(it.host)) found.push(`${owner}'s login: ${what}`)
        }
        const identified = it.client !== undefined || ownerOf(it) !== undefined
        if (it.host === "cdn" && identified) found.push(`identified: ${what}`)
        const elsewhere = it.path.startsWith("/v2/private/") ||
          scopes.some((scope) => !scope.startsWith("repository:mirror/"))
        if (
          (it.host === "backup" || it.host === "backupRealm") && identified && elsewhere && !sentToPrivate &&
          !given.byHand
        ) {
          found.push(`the backup's login outside its prefix: ${what}`)
        }
        if (!given.byHand && (it.host === "source" || it.host === "evil")) {
          // beyond the repositories are token servers, and what their own host redirects to
          const isOpen = isToken || repository === "" || proven.has(`${it.host} ${repository}`)
          if (identified && !isOpen) found.push(`before any proof: ${what}`)
          // what an anonymous client was let in for, or sent on from
          if (!identified && it.response.statusCode < 400 && it.path.includes("/manifests/")) {
            proven.add(`${it.host} ${repository}`)
          }
        }
      }
      for (const authorization of proxy.authorizations) found.push(`told the proxy at CONNECT: ${authorization}`)
      const known = new Set(hosts.map(hostOf))
      for (const it of proxy.seen) {
        const target = it.startsWith("CONNECT ") ? it.slice(8) : new URL(it.slice(it.indexOf(" ") + 1)).host
        if (!known.has(target) && /^[\d.:[\]]+$/.test(target)) found.push(`a forbidden address: ${it}`)
      }
      return found
    }
    const all = Object.fromEntries(hosts.map((host) => [host, hostOf(host)])) as Record<Host, string>
    return { hosts: all, options, violations, requests: () => log.length }
  })
