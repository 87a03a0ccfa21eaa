// CloudLibraries: the clouds that there are, a file each, over the program's own sockets. A Reference, so that tests can have
// other clouds.
import { Context, Effect } from "effect"
import type { CloudProviders } from "./CloudProvider.ts"
import { makeEcrIdentity } from "./EcrIdentity.ts"
import type { SdkRequests } from "./SdkRequests.ts"

export class CloudLibraries extends Context.Reference<(requests: SdkRequests) => Effect.Effect<CloudProviders>>(
  "image-cloner/registry/CloudLibraries",
  { defaultValue: () => (requests) => Effect.map(makeEcrIdentity(requests), (aws) => ({ aws })) }
) {}
