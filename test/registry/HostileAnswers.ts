// What hostile servers say, as Schemas that property tests draw from: challenges, URLs in every place where a URL can stand,
// headers and bodies that lie. Placeholders such as {evil} are hosts of the world that the answers are given in.
import { Schema } from "effect"

export const hosts = ["source", "backup", "evil", "cdn", "sourceRealm", "backupRealm"] as const
export type Host = typeof hosts[number]

const short = Schema.String.check(Schema.isMaxLength(30))
const one = <const A extends ReadonlyArray<string>>(...of: A) => Schema.Literals(of)

const Url = Schema.Union([
  Schema.Struct({
    scheme: one("https://", "http://", "{scheme}://", "//", "HTTPS:", "{scheme}:\\\\"),
    user: one("", "user:pw@", "{backup}@", "{backup}%40"),
    host: one(
      "{source}",
      "{backup}",
      "{evil}",
      "{cdn}",
      "{sourceRealm}",
      "{backupRealm}",
      "{backup}.",
      "{backup}.evil.test",
      "169.254.169.254",
      "[::ffff:10.0.0.1]",
      "0x7f.1:1",
      "localhost:1",
      "metadata.google.internal"
    ),
    path: one(
      "/v2/source/app/manifests/1",
      "/v2/private/app/manifests/1",
      "/v2/mirror/app/blobs/uploads/1?_state=a%2Bb",
      "/token",
      "/token?service=x&scope=repository:private/app:pull",
      "//{evil}/x",
      "/%2e%2e//{evil}/x",
      "",
      "?only=query"
    )
  }),
  one(
    "/token",
    "/v2/source/app/manifests/2",
    "//{evil}/token",
    "/\\{evil}/token",
    "\\\\{evil}\\token",
    "?next",
    "",
    "javascript:alert(1)",
    "data:,x",
    "file:///etc/passwd",
    "ftp://{evil}/x",
    "about:blank",
    "{scheme}://",
    "{scheme}:///{evil}/x",
    "https://constructor/token"
  ),
  // three thousand letters
  one("{scheme}://{evil}/{long}"),
  short
])
type Url = typeof Url.Type

const textOf = (url: Url): string => typeof url === "string" ? url : `${url.scheme}${url.user}${url.host}${url.path}`

const Challenge = Schema.Union([
  Schema.Struct({
    scheme: one("Bearer", "bearer", "BEARER", "Basic", "Negotiate"),
    realm: Url,
    quote: one("\"", ""),
    service: one("registry", "", "a\\\"b", "constructor"),
    scope: one("repository:source/app:pull", "repository:private/app:pull,push", "", "registry:catalog:*"),
    tail: one(
      "",
      ", Basic realm=\"x\"",
      ",error=\"insufficient_scope\"",
      ",,,=\"",
      ",Bearer realm=\"{scheme}://{evil}/token\"",
      ",realm=\"{scheme}://{evil}/token\""
    )
  }),
  short
])

const challengeOf = (it: typeof Challenge.Type): string =>
  typeof it === "string"
    ? it
    : `${it.scheme} realm=${it.quote}${
      textOf(it.realm)
    }${it.quote},service="${it.service}",scope="${it.scope}"${it.tail}`

const maybe = <S extends Schema.Top>(schema: S) => Schema.Union([schema, Schema.Undefined])

const fields = {
  host: Schema.Literals(hosts),
  method: one("any", "any", "HEAD", "GET", "POST", "PUT", "PATCH"),
  path: one("/", "/manifests/", "/blobs/", "/uploads/", "/referrers/", "/token"),
  times: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 })),
  status: Schema.Literals([
    200,
    200,
    201,
    202,
    204,
    206,
    301,
    302,
    303,
    307,
    308,
    400,
    401,
    401,
    401,
    403,
    404,
    405,
    407,
    413,
    416,
    429,
    500,
    503
  ]),
  challenge: maybe(Challenge),
  location: maybe(Url),
  link: maybe(Schema.Struct({ url: Url, tail: one("; rel=\"next\"", "; rel=next", "", "; rel=\"next\", <x>") })),
  type: one(
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/json",
    "text/html",
    "constructor"
  ),
  digest: one("none", "none", "right", "wrong", "garbage"),
  range: one("none", "bytes 5-9/10", "0-0", "bytes */*", "bytes 9-5/3", "99999999999999999999-1"),
  chunkMin: one("none", "1", "99999999999999", "-1", "x"),
  retryAfter: one("none", "none", "0", "99999", "-1", "Wed, 21 Oct 2099 07:28:00 GMT", "soon"),
  warning: maybe(short),
  body: one(
    "sane",
    "empty",
    "html",
    "token",
    "long token",
    "split token",
    "numbers",
    "deep",
    "manifest of nothing",
    "manifest of itself",
    "negative",
    "text"
  ),
  text: short,
  encoding: one("none", "none", "gzip"),
  /** The connection ends before its body does, or the body never ends. */
  end: one("whole", "whole", "whole", "cut", "hang")
}

const quiet = {
  digest: one("none"),
  range: one("none"),
  retryAfter: one("none"),
  body: one("empty"),
  encoding: one("none"),
  end: one("whole")
}
const registries = Schema.Literals(["source", "backup", "evil"])

/**
 * One answer, given `times` times to requests of this kind, instead of what a sane server would say: anything at all, or one of
 * those that lead somewhere (a challenge, a redirect, an upload's place), or a welcome to everybody.
 */
export const HostileAnswer = Schema.Union([
  Schema.Struct(fields),
  Schema.Struct({
    ...fields,
    ...quiet,
    host: registries,
    status: Schema.Literals([401]),
    challenge: Challenge
  }),
  Schema.Struct({
    ...fields,
    ...quiet,
    method: one("any", "HEAD", "GET"),
    status: Schema.Literals([301, 302, 303, 307, 308]),
    location: Url
  }),
  Schema.Struct({
    ...fields,
    ...quiet,
    host: Schema.Literals(["backup"]),
    method: one("POST", "PATCH"),
    status: Schema.Literals([202]),
    location: Url
  }),
  Schema.Struct({
    ...fields,
    ...quiet,
    host: registries,
    method: one("HEAD"),
    path: one("/manifests/"),
    status: Schema.Literals([200]),
    digest: one("right", "none")
  })
])
export type HostileAnswer = typeof HostileAnswer.Type

const digest = `sha256:${"0".repeat(64)}`

const bodies: Readonly<Record<Exclude<HostileAnswer["body"], "sane" | "text">, string>> = {
  empty: "",
  html: "<html><h1>\u001b[31m502</h1>",
  token: JSON.stringify({ token: "hostile-token", expires_in: -5, refresh_token: "hostile-refresh" }),
  "long token": JSON.stringify({ token: "x".repeat(20_000), expires_in: 1e300 }),
  "split token": JSON.stringify({ access_token: "a\r\nauthorization: Basic evil", token: null }),
  numbers: JSON.stringify({ token: 5, errors: "none", manifests: 7, schemaVersion: "2" }),
  deep: "[".repeat(5000),
  "manifest of nothing": JSON.stringify({ schemaVersion: 2, config: {}, layers: [] }),
  "manifest of itself": JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: Array.from({ length: 30 }, () => ({
      mediaType: "application/vnd.oci.image.index.v1+json",
      digest,
      size: 10
    }))
  }),
  negative: JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "x", digest: "sha256:../../../etc/passwd", size: -1 },
    layers: [{ mediaType: "x", digest, size: 1e300 }, {
      mediaType: "x",
      digest: "md5:0",
      size: 1,
      urls: ["http://169.254.169.254/"]
    }]
  })
}

/** The answer as it is sent. */
export interface Rendered {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Undefined: what a sane server would send. */
  readonly body: string | undefined
}

/** `place` puts hosts in place of their names. */
export const render = (it: HostileAnswer, place: (text: string) => string): Rendered => {
  const headers: Record<string, string | undefined> = {
    "content-type": it.type,
    "www-authenticate": it.challenge === undefined ? undefined : challengeOf(it.challenge),
    location: it.location === undefined ? undefined : textOf(it.location),
    link: it.link === undefined ? undefined : `<${textOf(it.link.url)}>${it.link.tail}`,
    "docker-content-digest": { none: undefined, right: undefined, wrong: digest, garbage: "sha256:xyz" }[it.digest],
    range: it.range === "none" ? undefined : it.range,
    "content-range": it.range === "none" ? undefined : it.range,
    "oci-chunk-min-length": it.chunkMin === "none" ? undefined : it.chunkMin,
    "retry-after": it.retryAfter === "none" ? undefined : it.retryAfter,
    warning: it.warning === undefined ? undefined : `299 - "${it.warning}"`,
    "content-encoding": it.encoding === "none" ? undefined : it.encoding
  }
  const sent: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    // what no server could send as a header
    if (value !== undefined) {
      sent[name] = place(value).replaceAll("{long}", "a".repeat(3000)).replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, "?")
    }
  }
  return {
    status: it.status,
    headers: sent,
    body: it.body === "sane" ? undefined : it.body === "text" ? it.text : bodies[it.body]
  }
}
