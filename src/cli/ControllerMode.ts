// ControllerMode: whether the cluster's controller may still rewrite workloads, told before everything is put back: by the ConfigMap
// with its settings, and by the environment of its Deployment, which overrides it. Edge: a controller that runs beside the
// cluster, or in another namespace, is not seen.
import { Effect, Option, Schema } from "effect"
import { configMap, configuration, objectOf, ownNamespace } from "./Startup.ts"

/** Name of the controller's Deployment. */
const controller = "image-cloner-controller"

const Environment = Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.optionalKey(Schema.String) }))

const Controller = Schema.Struct({
  spec: Schema.Struct({
    replicas: Schema.optionalKey(Schema.Finite),
    template: Schema.Struct({
      spec: Schema.Struct({
        containers: Schema.Array(Schema.Struct({ env: Schema.optionalKey(Environment) }))
      })
    })
  })
})
const decode = Schema.decodeUnknownOption(Controller)

/** What a controller that runs was told of REWRITE_MODE by its environment: "" for nothing; undefined where none runs. */
const modeOfEnvironment = (object: unknown): string | undefined => {
  const spec = Option.getOrUndefined(decode(object))?.spec
  if (spec === undefined || spec.replicas === 0) return undefined
  const variables = spec.template.spec.containers.flatMap((it) => it.env ?? [])
  return variables.find((it) => it.name === "REWRITE_MODE")?.value?.trim() ?? ""
}

/**
 * Why the cluster's controller may still rewrite workloads, with the command that ends it; undefined where it does not, or
 * where there is none. Fails where that cannot be seen.
 */
export const rewriting = Effect.gen(function*() {
  const namespace = yield* ownNamespace
  const texts = yield* configuration
  const mode = texts === undefined ? undefined : (texts["REWRITE_MODE"] ?? "").trim() || "patch"
  if (mode !== undefined && mode !== "off") {
    return `REWRITE_MODE is ${mode} in the ConfigMap ${namespace}/${configMap}; first:\n  kubectl -n ${namespace} patch `
      + `configmap ${configMap} --type merge -p '{"data":{"REWRITE_MODE":"off"}}'`
  }
  const own = modeOfEnvironment(yield* objectOf("/apis/apps/v1", "deployments", controller))
  if (own === undefined || own === "off" || (own === "" && mode === "off")) return undefined
  return `the Deployment ${namespace}/${controller} runs with REWRITE_MODE ${own || "patch"}; first:\n  kubectl -n `
    + `${namespace} set env deployment/${controller} REWRITE_MODE=off`
})
