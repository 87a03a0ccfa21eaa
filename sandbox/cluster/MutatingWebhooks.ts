// The admission step that asks MutatingWebhookConfigurations about pods that are made: in the order of their names, over
// HTTPS with the authority of caBundle, with a timeout and a failurePolicy. Edges: no Service is resolved (a webhook needs
// `url`), none is asked twice (reinvocationPolicy), matchConditions are not read.
// Source: kubernetes apiserver pkg/admission/plugin/webhook; k8s.io/api/admission/v1.
import { Data, Duration, Effect } from "effect"
import { Agent, request } from "undici"
import type { Json, JsonObject } from "../Json.ts"
import * as J from "../Json.ts"
import { uuid } from "../Random.ts"
import type { Api, Target } from "./Api.ts"
import { ApiError } from "./ApiError.ts"
import * as Patch from "./Patch.ts"
import * as Selector from "./Selector.ts"

const storage = "mutatingwebhookconfigurations.admissionregistration.k8s.io"

const has = (rule: Json, field: string, value: string): boolean =>
  J.list(rule, field).some((it) => it === value || it === "*")

/** The webhooks that want to see pods that are made, by the names of their configurations. */
const wanted = (api: Api, namespace: string, pod: JsonObject): ReadonlyArray<JsonObject> => {
  const labels = J.texts(api.store.get("namespaces", "", namespace) ?? {}, "metadata", "labels")
  return api.store.list(storage)
    .toSorted((a, b) => (J.text(a, "metadata", "name") ?? "") < (J.text(b, "metadata", "name") ?? "") ? -1 : 1)
    .flatMap((it) => J.list(it, "webhooks").filter(J.isObject))
    .filter((webhook) =>
      J.list(webhook, "rules").some((rule) =>
        has(rule, "apiGroups", "") && has(rule, "apiVersions", "v1") && has(rule, "resources", "pods") &&
        has(rule, "operations", "CREATE")
      ) &&
      Selector.ofSpec(webhook["namespaceSelector"])(labels) &&
      Selector.ofSpec(webhook["objectSelector"])(J.texts(pod, "metadata", "labels"))
    )
}

const pods = { group: "", version: "v1", resource: "pods" }
const kind = { group: "", version: "v1", kind: "Pod" }

const reviewOf = (target: Target, pod: JsonObject, uid: string): JsonObject => ({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: {
    uid,
    kind,
    resource: pods,
    requestKind: kind,
    requestResource: pods,
    name: J.text(pod, "metadata", "name") ?? "",
    namespace: target.namespace,
    operation: "CREATE",
    userInfo: { username: target.user.name, groups: [...target.user.groups] },
    object: pod,
    oldObject: null,
    dryRun: target.dryRun,
    options: { apiVersion: "meta.k8s.io/v1", kind: "CreateOptions" }
  }
})

/** A webhook that could not be asked, or whose answer is none. */
class CallFailed extends Data.TaggedError("CallFailed")<{ readonly webhook: string; readonly problem: string }> {
  override get message() {
    return `failed calling webhook "${this.webhook}": ${this.problem}`
  }
}

const failure = (webhook: string, problem: string) => new CallFailed({ webhook, problem })

const refused = (error: CallFailed): ApiError =>
  new ApiError({ code: 500, reason: "InternalError", text: `Internal error occurred: ${error.message}` })

const decoded = (text: string | undefined): string => Buffer.from(text ?? "", "base64").toString("utf8")

/** One webhook's AdmissionResponse; fails with whatever is wrong with the way there or with the answer. */
const ask = Effect.fnUntraced(function*(webhook: JsonObject, target: Target, pod: JsonObject) {
  const name = J.text(webhook, "name") ?? ""
  const url = J.text(webhook, "clientConfig", "url")
  if (url === undefined || !url.startsWith("https://")) return yield* failure(name, "it has no https url")
  const uid = yield* uuid
  const ca = decoded(J.text(webhook, "clientConfig", "caBundle"))
  const seconds = J.number(webhook, "timeoutSeconds") ?? 10
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent({ connect: ca === "" ? {} : { ca } })),
    (it) => Effect.promise(() => it.destroy())
  )
  const text = yield* Effect.tryPromise({
    try: async (signal) => {
      const answer = await request(url, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify(reviewOf(target, pod, uid)),
        dispatcher: agent,
        signal
      })
      const body = await answer.body.text()
      return answer.statusCode === 200 ? body : Promise.reject(new Error(`the server answered ${answer.statusCode}`))
    },
    catch: (cause) => failure(name, cause instanceof Error ? cause.message : String(cause))
  }).pipe(Effect.timeoutOrElse({
    duration: Duration.seconds(seconds),
    orElse: () => Effect.fail(failure(name, "context deadline exceeded"))
  }))
  const response = J.object(J.parse(text) ?? {}, "response")
  return J.text(response, "uid") === uid ? response : yield* failure(name, "expected response.uid of the request")
}, Effect.scoped)

/** What the webhook makes of the pod. */
const admit = Effect.fnUntraced(function*(webhook: JsonObject, target: Target, pod: JsonObject) {
  const name = J.text(webhook, "name") ?? ""
  const response = yield* ask(webhook, target, pod)
  if (response["allowed"] !== true) {
    return yield* new ApiError({
      code: J.number(response, "status", "code") ?? 403,
      reason: J.text(response, "status", "reason") ?? "Forbidden",
      text: `admission webhook "${name}" denied the request: ${J.text(response, "status", "message") ?? "unknown"}`
    })
  }
  if (response["patch"] === undefined) return pod
  if (J.text(response, "patchType") !== "JSONPatch") return yield* failure(name, "its patch is no JSONPatch")
  return yield* Patch.decode("application/json-patch+json", J.parse(decoded(J.text(response, "patch")))).pipe(
    Effect.flatMap((change) => change(pod)),
    Effect.mapError((error) => failure(name, error.text))
  )
})

/** Whether there is anyone to ask: to ask needs time, in which nothing may be locked. */
export const exist = (api: Api): boolean => api.store.list(storage).length > 0

/** The pod as the webhooks want it. One that cannot be asked is passed over where its failurePolicy is Ignore. */
export const mutate = Effect.fnUntraced(function*(
  api: Api,
  target: Target,
  pod: JsonObject
): Effect.fn.Return<JsonObject, ApiError> {
  let current = pod
  for (const webhook of wanted(api, target.namespace, pod)) {
    const ignored = J.text(webhook, "failurePolicy") === "Ignore"
    const before = current
    current = yield* admit(webhook, target, before).pipe(
      Effect.catchTag("CallFailed", (error) => ignored ? Effect.succeed(before) : Effect.fail(refused(error)))
    )
  }
  return current
})
