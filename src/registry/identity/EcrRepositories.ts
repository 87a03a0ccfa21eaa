// EcrRepositories: makes a repository of ECR, with the policies that its owner wants for new ones. One that is there already is
// left as it is. Source: ECR API reference, CreateRepository. Edge: when that is done is CloudRepositories.ts'.
import { Effect } from "effect"
import type { CloudError } from "./CloudError.ts"
import type { CloudProvider, CloudQuestion } from "./CloudProvider.ts"
import type { EcrConnection, EcrRepository } from "./EcrLibrary.ts"

type Call = <A>(
  question: CloudQuestion,
  what: { readonly action: string; readonly resource: string },
  ask: (connection: EcrConnection, signal: AbortSignal) => Promise<A>
) => Effect.Effect<A, CloudError>

/** The account that a host names: without it a repository would come into being in our own account. */
const repositoryOf = ({ host }: CloudQuestion, name: string): EcrRepository => ({
  repositoryName: name,
  ...(host.cloud === "aws" && host.kind === "private" && host.account !== undefined ? { registryId: host.account } : {})
})

export const makeEcrRepositories = (call: Call): NonNullable<CloudProvider["createRepository"]> =>
  Effect.fn("identity.createRepository")(function*(question, name) {
    const wanted = question.options.newRepositories
    // ECR's public registry would publish what nobody has asked to be published
    if (wanted === undefined || question.host.cloud !== "aws" || question.host.kind !== "private") return false
    const repository = repositoryOf(question, name)
    const resource = `${question.registry}/${name}`
    const isNew = yield* call(
      question,
      { action: "ecr:CreateRepository", resource },
      async (it, signal) => await it.create?.(repository, wanted, signal) ?? false
    )
    if (!isNew) return false
    yield* Effect.logInfo("a repository was created in ECR").pipe(Effect.annotateLogs({ repository: resource }))
    /** It can be used without: whoever waits for it goes on. */
    const add = (action: string, ask: (it: EcrConnection, signal: AbortSignal) => Promise<unknown> | undefined) =>
      call(question, { action, resource }, async (it, signal) => ask(it, signal)).pipe(
        Effect.catch((error) => Effect.logWarning("a new repository is without its policy", error.message))
      )
    const { lifecyclePolicy, repositoryPolicy } = wanted
    if (repositoryPolicy !== undefined) {
      yield* add("ecr:SetRepositoryPolicy", (it, signal) => it.setPolicy?.(repository, repositoryPolicy, signal))
    }
    if (lifecyclePolicy !== undefined) {
      yield* add("ecr:PutLifecyclePolicy", (it, signal) => it.setLifecyclePolicy?.(repository, lifecyclePolicy, signal))
    }
    return true
  })
