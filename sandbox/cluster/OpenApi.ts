// Just as much OpenAPI as kubectl wants before it creates or applies: that the server validates by itself
// (`fieldValidation`), for every kind it has. No schemas: `kubectl explain` has nothing to explain.
import type { Reply } from "../server/Exchange.ts"
import * as Exchanges from "../server/Exchange.ts"
import type { Resource } from "./Resources.ts"
import * as Resources from "./Resources.ts"

const rootOf = (resource: Resource): string =>
  resource.group === "" ? `api/${resource.version}` : `apis/${resource.group}/${resource.version}`

const roots = [...new Set(Resources.resources.map(rootOf))]

const document = (root: string) => ({
  openapi: "3.0.0",
  info: { title: "image-cloner sandbox", version: "v1.36.0" },
  paths: Object.fromEntries(
    Resources.resources.filter((it) => rootOf(it) === root).map((it) => {
      const kind = { group: it.group, version: it.version, kind: it.kind }
      const operation = {
        parameters: [
          { name: "dryRun", in: "query", schema: { type: "string" } },
          { name: "fieldValidation", in: "query", schema: { type: "string" } }
        ],
        responses: { "200": { description: "OK" } },
        "x-kubernetes-group-version-kind": kind
      }
      return [Resources.pathOf(it, "{namespace}", "{name}"), {
        patch: { ...operation, "x-kubernetes-action": "patch" }
      }]
    })
  ),
  components: { schemas: {} }
})

/** The answer to a path below /openapi/v3; undefined for what is not there. */
export const answer = (path: string): Reply | undefined => {
  if (path === "/openapi/v3") {
    return Exchanges.json(200, {
      paths: Object.fromEntries(roots.map((it) => [it, { serverRelativeURL: `/openapi/v3/${it}?hash=0` }]))
    })
  }
  const root = path.replace("/openapi/v3/", "")
  return roots.includes(root) ? Exchanges.json(200, document(root)) : undefined
}
