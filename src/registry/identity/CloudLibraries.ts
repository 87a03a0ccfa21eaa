// CloudLibraries: the clouds that there are, a file each, over the program's own sockets. A Reference, so that tests can have
// other clouds.
import { Context, Effect, type FileSystem } from "effect"
import { makeAzureIdentity } from "../oauth/AzureIdentity.ts"
import type { CloudProviders } from "./CloudProvider.ts"
import type { CloudRequests } from "../oauth/CloudRequests.ts"
import { makeEcrIdentity } from "./EcrIdentity.ts"
import { makeGoogleIdentity } from "../oauth/GoogleIdentity.ts"
import type { SdkRequests } from "./SdkRequests.ts"

type MakeProviders = (
  sdk: SdkRequests,
  requests: CloudRequests
) => Effect.Effect<CloudProviders, never, FileSystem.FileSystem>

export class CloudLibraries extends Context.Reference<MakeProviders>(
  "image-cloner/registry/CloudLibraries",
  {
    defaultValue: () => (sdk, requests) =>
      Effect.all({
        aws: makeEcrIdentity(sdk),
        google: makeGoogleIdentity(sdk, requests),
        azure: makeAzureIdentity(requests)
      })
  }
) {}
