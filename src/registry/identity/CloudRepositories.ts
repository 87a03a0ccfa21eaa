// CloudRepositories: repositories that a cloud wants to be made before anything is put into them: when the backup says that there
// is none, below its prefix only, one flight a name, five a second at most.
// Edge: how one is made is the cloud's file; who asks is api/UploadSessions.ts.
import { Effect, Metric, Option, Schema, Semaphore } from "effect"
import { makeOnce } from "../../collections/Once.ts"
import { type Backup, isUnder } from "../../image/BackupName.ts"
import type { Repository } from "../../image/Repository.ts"
import { cloudRepositories } from "../../telemetry/Metrics.ts"
import { CloudError } from "./CloudError.ts"
import { type CloudOptions, hostIn } from "./CloudOptions.ts"
import type { CloudProviders } from "./CloudProvider.ts"

export interface CloudRepositories {
  /** True: the repository is there now, or will be in some seconds. False: nothing of it is ours to do. */
  readonly create: (repository: Repository) => Effect.Effect<boolean, CloudError>
}

/** ECR's rule for names; what is refused here costs no request. */
const nameShape = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/

/** Whether ECR would have a repository of this name. */
export const isEcrName = (name: string): boolean => name.length >= 2 && name.length <= 256 && nameShape.test(name)

/** Between two that are made: CreateRepository has a small budget for each account. */
const spacing = "200 millis"

const Rules = Schema.fromJsonString(Schema.Struct({
  rules: Schema.Array(Schema.Struct({ selection: Schema.Struct({ tagStatus: Schema.String }) }))
}))

/** Can a lifecycle policy delete images that have tags? Every copy has. */
export const deletesTagged = (policy: string): boolean =>
  Option.match(Schema.decodeOption(Rules)(policy), {
    // what is not understood is not called harmless
    onNone: () => true,
    onSome: ({ rules }) => rules.some((it) => it.selection.tagStatus !== "untagged")
  })

export const makeCloudRepositories = Effect.fnUntraced(function*(
  settings: () => { readonly backup: Backup; readonly clouds?: CloudOptions },
  providers: CloudProviders
): Effect.fn.Return<CloudRepositories> {
  const flights = yield* makeOnce<boolean, CloudError>({ kept: 0 })
  const turn = yield* Semaphore.make(1)
  const { backup, clouds } = settings()
  const policy = clouds?.newRepositories?.lifecyclePolicy
  if (
    policy !== undefined && clouds !== undefined && hostIn(clouds, backup.registry) !== undefined &&
    deletesTagged(policy)
  ) {
    yield* Effect.logWarning(
      "ECR_LIFECYCLE_POLICY can delete images with tags: copies that pods are started from may be gone; select untagged ones only"
    )
  }
  return {
    create: Effect.fnUntraced(function*(repository) {
      const current = settings()
      const options = current.clouds
      const { registry, repository: name } = repository
      const host = options === undefined ? undefined : hostIn(options, registry)
      if (options?.newRepositories === undefined || host === undefined || !isUnder(current.backup, repository)) {
        return false
      }
      const make = providers[host.cloud]?.createRepository
      if (make === undefined || (host.cloud === "aws" && host.kind === "public")) return false
      if (!isEcrName(name)) {
        return yield* new CloudError({
          cloud: "AWS",
          identity: "anybody",
          action: "ecr:CreateRepository",
          resource: `${registry}/${name}`,
          detail: "ECR has no repositories of such a name: 2 to 256 characters, lower case",
          retryable: false
        })
      }
      const making = Effect.tap(
        make({ registry, host, options }, name),
        (isNew) => isNew ? Metric.update(cloudRepositories({ cloud: host.cloud }), 1) : Effect.void
      )
      const one = turn.withPermit(Effect.tap(making, () => Effect.sleep(spacing)))
      return yield* Effect.as(flights.get(`${registry}/${name}`, one), true)
    })
  }
})
