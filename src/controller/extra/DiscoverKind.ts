// DiscoverKind: what the API server calls the objects of a kind of EXTRA_KINDS: their plural is in no manifest, and is asked for at
// `/apis/group/version`, as kubectl and controller-runtime do (k8s.io/client-go/restmapper). Edge: when it is asked again, where
// there is no such kind yet, is whoever watches' matter.
import { Data, Effect, Option, Schema } from "effect"
import { KubeClient } from "../../kube/KubeClient.ts"
import { isReason, type KubeError, protocolError } from "../../kube/KubeError.ts"
import { type ExtraKind, extraName } from "../../settings/Settings.ts"
import type { Kind } from "../../workload/Kinds.ts"
import { isBuiltIn } from "../../workload/KnownOwners.ts"
import { extraKindOf } from "../../workload/ProjectExtra.ts"

/** The API server answers, and has no such kind. */
export class KindMissing extends Data.TaggedError("KindMissing")<{
  readonly of: ExtraKind
  readonly detail: string
}> {
  override get message() {
    return `${extraName(this.of)} of EXTRA_KINDS: ${this.detail}`
  }
}

// metav1.APIResourceList
const Answer = Schema.Struct({
  resources: Schema.Array(
    Schema.Struct({ name: Schema.String, kind: Schema.String, namespaced: Schema.optionalKey(Schema.Boolean) })
  )
})
const decode = Schema.decodeUnknownOption(Answer)

/** Subresources, such as `rollouts/scale`, have kinds too. */
const plural = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/

/** Asks once for the kind of a setting. */
export const discoverKind = Effect.fnUntraced(
  function*(of: ExtraKind): Effect.fn.Return<Kind, KubeError | KindMissing, KubeClient> {
    const client = yield* KubeClient
    const apiVersion = `${of.group}/${of.version}`
    const missing = (detail: string) => new KindMissing({ of, detail })
    if (isBuiltIn(apiVersion)) {
      return yield* missing(`${apiVersion} is Kubernetes' own; what of it has pods is watched without being named`)
    }
    const path = `/apis/${apiVersion}`
    const install = "its CustomResourceDefinition is not installed; it is watched as soon as it is"
    const answer = yield* client.request({ method: "GET", path }).pipe(
      Effect.catchIf(isReason("NotFound"), () => missing(`the API server has no ${apiVersion}: ${install}`))
    )
    const list = Option.getOrUndefined(decode(answer))
    if (list === undefined) return yield* protocolError(`GET ${path}`, "the answer is no list of resources")
    const found = list.resources.find((it) => it.kind === of.kind && plural.test(it.name))
    if (found === undefined) return yield* missing(`the API server has no ${of.kind} in ${apiVersion}: ${install}`)
    return found.namespaced === true
      ? extraKindOf(of, found.name)
      : yield* missing(`${found.name} are in no namespace, so they have no pods: take it out`)
  }
)
