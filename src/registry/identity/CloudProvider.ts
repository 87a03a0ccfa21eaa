// CloudProvider: one cloud, as the rest of the program sees it: what a login to one of its registries is kept under, and how it
// comes. One file a cloud implements it, whose library is loaded with the first question.
import type { Effect } from "effect"
import type { CloudError } from "./CloudError.ts"
import type { Cloud, CloudHost } from "./CloudHosts.ts"
import type { CloudOptions } from "./CloudOptions.ts"
import type { CloudToken } from "./CloudTokens.ts"

/** A registry of the cloud, and the settings that are in force. */
export interface CloudQuestion {
  readonly registry: string
  readonly host: CloudHost
  readonly options: CloudOptions
}

export interface CloudProvider {
  /** Registries with equal keys are opened by one token. */
  readonly keyOf: (question: CloudQuestion) => string
  readonly token: (question: CloudQuestion) => Effect.Effect<CloudToken, CloudError>
  /**
   * Makes a repository as `options.newRepositories` says; false: it is there already, and stays as it is. None where the cloud's
   * registries need no such thing.
   */
  readonly createRepository?: (question: CloudQuestion, name: string) => Effect.Effect<boolean, CloudError>
}

/** Those that there are. */
export type CloudProviders = { readonly [C in Cloud]?: CloudProvider }
