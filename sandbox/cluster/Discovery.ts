// What the server says it has: /version, /api, /apis and the lists below, aggregated or not.
// Source: apidiscovery.k8s.io/v2, meta.k8s.io/v1 APIResourceList; research/kubernetes.md §7.4.
import type { Reply } from "../server/Exchange.ts"
import * as Exchanges from "../server/Exchange.ts"
import type { Resource } from "./Resources.ts"
import * as Resources from "./Resources.ts"

const version = {
  major: "1",
  minor: "36",
  gitVersion: "v1.36.0-sandbox",
  gitCommit: "0000000000000000000000000000000000000000",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "none",
  compiler: "none",
  platform: "linux/amd64"
}

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
const groups = [...new Set(Resources.resources.map((it) => it.group))]
const inGroup = (group: string): ReadonlyArray<Resource> => Resources.resources.filter((it) => it.group === group)
/** Answered by POST alone, and kept nowhere. */
const reviewGroup = "authorization.k8s.io"
const review = {
  name: "selfsubjectaccessreviews",
  singularName: "selfsubjectaccessreview",
  namespaced: false,
  kind: "SelfSubjectAccessReview",
  verbs: ["create"]
}

const resourceList = (groupVersion: string, resources: ReadonlyArray<unknown>) => ({
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion,
  resources
})

const legacy = (resource: Resource): ReadonlyArray<unknown> => [
  {
    name: resource.plural,
    singularName: resource.singular,
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs,
    shortNames: resource.shortNames,
    ...(resource.all ? { categories: ["all"] } : {})
  },
  ...resource.subresources.map((it) => ({
    name: `${resource.plural}/${it}`,
    singularName: "",
    namespaced: resource.namespaced,
    ...(it === "scale" ? { group: "autoscaling", version: "v1", kind: "Scale" } : { kind: resource.kind }),
    verbs: it === "binding" || it === "eviction" || it === "token" ? ["create"] : ["get", "patch", "update"]
  }))
]

const groupVersions = (group: string) => [{ groupVersion: `${group}/v1`, version: "v1" }]
const apiGroup = (group: string) => ({
  name: group,
  versions: groupVersions(group),
  preferredVersion: { groupVersion: `${group}/v1`, version: "v1" }
})

const aggregated = (group: string) => ({
  metadata: group === "" ? { creationTimestamp: null } : { name: group, creationTimestamp: null },
  versions: [{
    version: "v1",
    freshness: "Current",
    resources: group === reviewGroup
      ? [{
        resource: review.name,
        responseKind: { group, version: "v1", kind: review.kind },
        scope: "Cluster",
        singularResource: review.singularName,
        verbs: review.verbs
      }]
      : inGroup(group).map((it) => ({
        resource: it.plural,
        responseKind: { group, version: it.version, kind: it.kind },
        scope: it.namespaced ? "Namespaced" : "Cluster",
        singularResource: it.singular,
        verbs,
        shortNames: it.shortNames,
        ...(it.all ? { categories: ["all"] } : {}),
        subresources: it.subresources.map((subresource) => ({
          subresource,
          responseKind: subresource === "scale"
            ? { group: "autoscaling", version: "v1", kind: "Scale" }
            : { group, version: it.version, kind: it.kind },
          verbs: ["get", "patch", "update"]
        }))
      }))
  }]
})

const aggregatedType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

const discovery = (names: ReadonlyArray<string>): Reply =>
  Exchanges.json(200, {
    kind: "APIGroupDiscoveryList",
    apiVersion: "apidiscovery.k8s.io/v2",
    metadata: {},
    items: names.map(aggregated)
  }, { "content-type": aggregatedType })

const named = [...groups.filter((it) => it !== ""), reviewGroup]

/** The answer to a path of discovery; undefined for all others. `serverAddress` is "host:port". */
export const answer = (path: string, accept: string | undefined, serverAddress: string): Reply | undefined => {
  const wantsAggregated = (accept ?? "").replaceAll(" ", "").includes(aggregatedType)
  const parts = path.split("/").filter((it) => it !== "")
  if (path === "/version") return Exchanges.json(200, version)
  if (["/healthz", "/readyz", "/livez"].includes(path)) return Exchanges.text(200, "ok")
  if (path === "/api") {
    return wantsAggregated ? discovery([""]) : Exchanges.json(200, {
      kind: "APIVersions",
      versions: ["v1"],
      serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress }]
    })
  }
  if (path === "/apis") {
    return wantsAggregated ? discovery(named) : Exchanges.json(200, {
      kind: "APIGroupList",
      apiVersion: "v1",
      groups: named.map(apiGroup)
    })
  }
  if (path === "/api/v1") return Exchanges.json(200, resourceList("v1", inGroup("").flatMap(legacy)))
  const [root, group = "", apiVersion] = parts
  if (root !== "apis" || !named.includes(group)) return undefined
  if (parts.length === 2) return Exchanges.json(200, { kind: "APIGroup", apiVersion: "v1", ...apiGroup(group) })
  if (parts.length !== 3 || apiVersion !== "v1") return undefined
  return Exchanges.json(
    200,
    resourceList(`${group}/v1`, group === reviewGroup ? [review] : inGroup(group).flatMap(legacy))
  )
}
