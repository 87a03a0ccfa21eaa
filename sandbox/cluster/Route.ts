// From a request to the verb it asks for: paths, authentication, authorization, bodies.
import type { Stream } from "effect"
import { Effect, Redacted } from "effect"
import type { JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import { randomHex } from "../Random.ts"
import type { Exchange, Reply, Reset } from "../server/Exchange.ts"
import * as Exchanges from "../server/Exchange.ts"
import type { Api, Target } from "./Api.ts"
import type { User } from "./Api.ts"
import type { ApiError } from "./ApiError.ts"
import * as ApiErrors from "./ApiError.ts"
import * as Apply from "./Apply.ts"
import type { Attributes, Authorizer, Verb } from "./Authorize.ts"
import * as Authorize from "./Authorize.ts"
import * as Delete from "./Delete.ts"
import * as Discovery from "./Discovery.ts"
import * as OpenApi from "./OpenApi.ts"
import * as Patch from "./Patch.ts"
import * as Present from "./Present.ts"
import * as Read from "./Read.ts"
import * as Resources from "./Resources.ts"
import * as Subresources from "./Subresources.ts"
import type { Watchers } from "./Watch.ts"
import * as Watch from "./Watch.ts"
import * as Write from "./Write.ts"

export interface Server {
  readonly api: Api
  readonly watchers: Watchers
  readonly authorizer: Authorizer
  readonly host: () => string
}

interface Route {
  readonly target: Target
  readonly subresource: string
}

const bodyLimit = 3 * 1024 * 1024

/** Group, version and the steps behind them. */
const split = (path: string): { group: string; version: string; rest: ReadonlyArray<string> } | undefined => {
  const [root, ...steps] = path.split("/").filter((it) => it !== "").map(decodeURIComponent)
  const [one = "", two = ""] = steps
  if (root === "api") return { group: "", version: one, rest: steps.slice(1) }
  return root === "apis" ? { group: one, version: two, rest: steps.slice(2) } : undefined
}

const routeOf = (exchange: Exchange, user: User): Route | undefined => {
  const parts = split(exchange.path)
  if (parts === undefined) return undefined
  const { group, rest, version } = parts
  const inNamespace = rest[0] === "namespaces" && rest.length > 2 &&
    Resources.find(group, version, rest[2] ?? "") !== undefined
  const [plural = "", name = "", subresource = "", ...more] = inNamespace ? rest.slice(2) : rest
  const resource = Resources.find(group, version, plural)
  if (resource === undefined || more.length > 0 || (inNamespace && !resource.namespaced)) return undefined
  // Without a namespace there are only lists and watches of what has one.
  if (resource.namespaced && !inNamespace && name !== "") return undefined
  const query = exchange.query
  return {
    subresource,
    target: {
      resource,
      namespace: inNamespace ? rest[1] ?? "" : "",
      name,
      user,
      manager: query.get("fieldManager") ?? (exchange.headers["user-agent"] ?? "unknown").split("/", 1).join(""),
      dryRun: query.getAll("dryRun").includes("All")
    }
  }
}

const isWatch = (exchange: Exchange): boolean => ["true", "1"].includes(exchange.query.get("watch") ?? "")

const verbOf = (exchange: Exchange, target: Target): Verb | undefined => {
  switch (exchange.method) {
    case "GET":
      return isWatch(exchange) ? "watch" : target.name === "" ? "list" : "get"
    case "POST":
      return "create"
    case "PUT":
      return "update"
    case "PATCH":
      return "patch"
    case "DELETE":
      return target.name === "" ? "deletecollection" : "delete"
    default:
      return undefined
  }
}

const readJson = Effect.fnUntraced(function*(exchange: Exchange) {
  const body = yield* Exchanges.readBody(exchange, bodyLimit)
  if (body === undefined) {
    return yield* new ApiErrors.ApiError({
      code: 413,
      reason: "RequestEntityTooLarge",
      text: `Request entity too large: limit is ${bodyLimit}`
    })
  }
  return body.length === 0 ? undefined : J.parse(Buffer.from(body).toString("utf8"))
})

const mediaType = (exchange: Exchange): string => (exchange.headers["content-type"] ?? "").split(";", 1).join("").trim()

const readObject = Effect.fnUntraced(function*(exchange: Exchange) {
  if (!["", "application/json"].includes(mediaType(exchange))) {
    return yield* ApiErrors.unsupportedMediaType(
      "the body of the request was in an unknown format - accepted media types include: application/json"
    )
  }
  const body = yield* readJson(exchange)
  return J.isObject(body) ? body : yield* ApiErrors.badRequest("the body is no JSON object")
})

const deleteOptions = Effect.fnUntraced(function*(exchange: Exchange) {
  const body = yield* readJson(exchange)
  const grace = exchange.query.get("gracePeriodSeconds")
  return {
    dryRun: exchange.query.getAll("dryRun").includes("All") || J.list(body, "dryRun").includes("All"),
    options: {
      gracePeriodSeconds: J.number(body, "gracePeriodSeconds") ?? (grace === null ? undefined : Number(grace)),
      propagationPolicy: J.text(body, "propagationPolicy") ?? exchange.query.get("propagationPolicy") ?? undefined,
      uid: J.text(body, "preconditions", "uid"),
      resourceVersion: J.text(body, "preconditions", "resourceVersion")
    }
  }
})

const live = (chunks: Stream.Stream<string, Reset>): Reply => ({
  status: 200,
  headers: { "content-type": "application/json", "transfer-encoding": "chunked" },
  body: { _tag: "Live", chunks }
})

/** What PUT or PATCH makes of the stored object. */
const changeOf = Effect.fnUntraced(function*(exchange: Exchange) {
  if (exchange.method === "PATCH") return yield* Patch.decode(mediaType(exchange), yield* readJson(exchange))
  const sent = yield* readObject(exchange)
  return () => Effect.succeed(sent)
})

const apply = Effect.fnUntraced(function*(api: Api, exchange: Exchange, target: Target, name: string) {
  const body = yield* Exchanges.readBody(exchange, bodyLimit)
  return yield* Apply.apply(api, target, {
    subresource: name,
    force: exchange.query.get("force") === "true",
    manager: exchange.query.get("fieldManager") ?? "",
    body: Buffer.from(body ?? []).toString("utf8")
  })
})

const token = Effect.fnUntraced(function*(server: Server, target: Target, request: JsonObject) {
  const issued = yield* randomHex(40)
  const name = `system:serviceaccount:${target.namespace}:${target.name}`
  // A ServiceAccount may do what was said of it by name (addUser), and nothing else.
  server.authorizer.add(Redacted.make(issued), { name, rules: server.authorizer.find(name)?.rules ?? [] })
  return { ...request, status: { token: issued, expirationTimestamp: "2999-01-01T00:00:00Z" } }
})

const subresource = Effect.fnUntraced(function*(
  server: Server,
  exchange: Exchange,
  { subresource: name, target }: Route
): Effect.fn.Return<JsonObject, ApiError> {
  if (!target.resource.subresources.some((it) => it === name)) return yield* ApiErrors.unknownPath()
  const posted = ["binding", "eviction", "token"].includes(name)
  if (posted !== (exchange.method === "POST")) return yield* ApiErrors.methodNotAllowed()
  if (name === "binding") return yield* Subresources.bind(server.api, target, yield* readObject(exchange))
  if (name === "eviction") return yield* Subresources.evict(server.api, target, yield* readObject(exchange))
  if (name === "token") return yield* token(server, target, yield* readObject(exchange))
  const reads = exchange.method === "GET"
  const patched = exchange.method === "PATCH"
  if (!reads && exchange.method !== "PUT" && exchange.method !== "PATCH") return yield* ApiErrors.methodNotAllowed()
  if (name === "scale") {
    if (reads) return yield* Subresources.getScale(server.api, target)
    return yield* Subresources.updateScale(server.api, target, yield* changeOf(exchange))
  }
  if (reads) return yield* Read.one(server.api, target, "Object")
  if (patched && Apply.isApply(mediaType(exchange))) return (yield* apply(server.api, exchange, target, name)).object
  return yield* Write.update(server.api, target, { subresource: name, patched }, yield* changeOf(exchange))
})

const object = Effect.fnUntraced(function*(
  server: Server,
  exchange: Exchange,
  route: Route,
  verb: Verb
): Effect.fn.Return<Reply, ApiError> {
  const { api } = server
  const { target } = route
  const form = Present.formOf(exchange.headers)
  if (route.subresource !== "") {
    const answered = yield* subresource(server, exchange, route)
    return Exchanges.json(exchange.method === "POST" ? 201 : 200, answered)
  }
  switch (verb) {
    case "watch":
      return live(yield* Watch.watch(api, server.watchers, target, exchange.query, form))
    case "list":
      return Exchanges.json(200, yield* Read.list(api, target, exchange.query, form))
    case "get":
      return Exchanges.json(200, yield* Read.one(api, target, form))
    case "create":
      if (target.name !== "") return yield* ApiErrors.methodNotAllowed()
      return Exchanges.json(201, yield* Write.create(api, target, yield* readObject(exchange)))
    case "update":
    case "patch":
      if (target.name === "") return yield* ApiErrors.methodNotAllowed()
      if (verb === "patch" && Apply.isApply(mediaType(exchange))) {
        const applied = yield* apply(api, exchange, target, "")
        return Exchanges.json(applied.created ? 201 : 200, applied.object)
      }
      return Exchanges.json(
        200,
        yield* Write.update(api, target, { subresource: "", patched: verb === "patch" }, yield* changeOf(exchange))
      )
    case "delete": {
      const { dryRun, options } = yield* deleteOptions(exchange)
      return Exchanges.json(200, yield* Delete.one(api, { ...target, dryRun }, options))
    }
    case "deletecollection": {
      const { dryRun, options } = yield* deleteOptions(exchange)
      const selected = yield* Read.selectorOf(target, exchange.query)
      const found = api.store.list(target.resource.storage).filter(selected)
      const gone = yield* Delete.collection(api, { ...target, dryRun }, found, options)
      return Exchanges.json(200, Present.many("Object", target.resource, gone, {}, 0))
    }
  }
})

/** kubectl sends this as protobuf: what cannot be read is answered for the user as a whole. */
const accessReview = Effect.fnUntraced(function*(server: Server, exchange: Exchange, user: User) {
  const body = yield* readJson(exchange)
  const asked = J.object(body, "spec", "resourceAttributes")
  const verbs: Readonly<Record<string, Verb>> = {
    get: "get",
    list: "list",
    watch: "watch",
    create: "create",
    update: "update",
    patch: "patch",
    delete: "delete",
    deletecollection: "deletecollection"
  }
  const name = J.text(asked, "resource") ?? "*"
  const below = J.text(asked, "subresource") ?? ""
  const allowed = server.authorizer.allows(user, {
    verb: verbs[J.text(asked, "verb") ?? ""] ?? "get",
    group: J.text(asked, "group") ?? "",
    resource: below === "" ? name : `${name}/${below}`,
    namespace: J.text(asked, "namespace") ?? "",
    name: J.text(asked, "name") ?? ""
  })
  return Exchanges.json(201, {
    kind: "SelfSubjectAccessReview",
    apiVersion: "authorization.k8s.io/v1",
    metadata: { creationTimestamp: null },
    spec: J.object(body, "spec"),
    status: { allowed }
  })
})

const dispatch = Effect.fnUntraced(function*(server: Server, exchange: Exchange): Effect.fn.Return<Reply, ApiError> {
  const open = ["/healthz", "/readyz", "/livez", "/version"].includes(exchange.path)
  const user = open ? { name: "", groups: [] } : yield* server.authorizer.authenticate(exchange.headers.authorization)
  if (exchange.method === "GET") {
    const discovered = Discovery.answer(exchange.path, exchange.headers.accept, server.host())
    if (discovered !== undefined) return discovered
  }
  if (exchange.path.startsWith("/openapi/")) return OpenApi.answer(exchange.path) ?? (yield* ApiErrors.unknownPath())
  if (exchange.path === "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" && exchange.method === "POST") {
    return yield* accessReview(server, exchange, user)
  }
  const route = routeOf(exchange, user)
  if (route === undefined) return yield* ApiErrors.unknownPath()
  const verb = verbOf(exchange, route.target)
  if (verb === undefined) return yield* ApiErrors.methodNotAllowed()
  const { name, namespace, resource } = route.target
  const attributes: Attributes = {
    verb,
    group: resource.group,
    resource: route.subresource === "" ? resource.plural : `${resource.plural}/${route.subresource}`,
    namespace,
    name
  }
  if (!server.authorizer.allows(user, attributes)) return yield* Authorize.forbidden(user, resource, attributes)
  return yield* object(server, exchange, route, verb)
})

export const handle = (server: Server, exchange: Exchange): Effect.Effect<Reply> =>
  dispatch(server, exchange).pipe(Effect.catch((error) => Effect.succeed(ApiErrors.replyOf(error))))
