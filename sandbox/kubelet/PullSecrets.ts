// The logins a pod has for a registry: its imagePullSecrets, read from the API server and matched by host and path.
// Source: kubernetes pkg/credentialprovider (keyring.go, config.go).
import { Effect, Redacted } from "effect"
import * as Objects from "../client/Objects.ts"
import type { Json, JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import type { Login } from "./Puller.ts"

interface Entry {
  readonly host: string
  /** Path that repositories must be under; "" for all. */
  readonly path: string
  readonly login: Login
}

/** "https://index.docker.io/v1/" and its like are Docker Hub; a trailing path narrows. */
const place = (key: string): { readonly host: string; readonly path: string } => {
  const bare = key.replace(/^https?:\/\//, "").replace(/\/+$/, "")
  const slash = bare.indexOf("/")
  const host = slash < 0 ? bare : bare.slice(0, slash)
  const path = slash < 0 ? "" : bare.slice(slash + 1).replace(/^v[12]\/?/, "")
  const hub = ["index.docker.io", "registry-1.docker.io", "docker.io"].includes(host)
  return { host: hub ? "docker.io" : host, path }
}

const loginOf = (entry: Json): Login | undefined => {
  const encoded = J.text(entry, "auth")
  const decoded = encoded === undefined ? "" : Buffer.from(encoded, "base64").toString("utf8")
  const colon = decoded.indexOf(":")
  const username = J.text(entry, "username") ?? decoded.slice(0, Math.max(0, colon))
  const password = J.text(entry, "password") ?? decoded.slice(colon + 1)
  return username === "" ? undefined : { username, password: Redacted.make(password) }
}

const entriesOf = (secret: JsonObject): ReadonlyArray<Entry> => {
  const read = (key: string): Json | undefined => {
    const encoded = J.text(secret, "data", key)
    return encoded === undefined ? undefined : J.parse(Buffer.from(encoded, "base64").toString("utf8"))
  }
  const all = { ...J.object(read(".dockerconfigjson"), "auths"), ...J.object(read(".dockercfg")) }
  return Object.entries(all).flatMap(([key, entry]) => {
    const login = loginOf(entry)
    return login === undefined ? [] : [{ ...place(key), login }]
  })
}

/** Logins by host and repository, the narrowest first. A secret that is missing gives none, as with a real kubelet. */
export const of = Effect.fnUntraced(function*(pod: JsonObject) {
  const entries: Array<Entry> = []
  for (const reference of J.list(pod, "spec", "imagePullSecrets")) {
    const at = {
      resource: Objects.resource("Secret"),
      namespace: J.text(pod, "metadata", "namespace") ?? "",
      name: J.text(reference, "name") ?? ""
    }
    const secret = yield* Objects.get(at).pipe(Effect.orElseSucceed((): JsonObject => ({})))
    entries.push(...entriesOf(secret))
  }
  return (host: string, repository: string): ReadonlyArray<Login> =>
    entries
      .filter((it) =>
        it.host === host && (it.path === "" || repository === it.path || repository.startsWith(`${it.path}/`))
      )
      .toSorted((one, other) => other.path.length - one.path.length)
      .map((it) => it.login)
})
