// RefusedHosts: sources of which a plan knows without asking anybody that the controller will refuse to dial them: addresses that
// are not public. A name may lead to one as well, which only a look tells.
import { mayBePrivate, refusedLiteral } from "../registry/transport/AddressPolicy.ts"
import type { ImageState } from "../image/ImageState.ts"
import { backup, type Settings } from "../settings/Settings.ts"

/** The state a refused source would come to, undefined where it is not known to be refused. */
export const refusedState = (source: string, settings: Settings, now: number): ImageState | undefined => {
  const registry = source.slice(0, source.indexOf("/"))
  const options = {
    backup: backup(settings),
    plainHttp: settings.PLAIN_HTTP_REGISTRIES,
    privateHosts: settings.PRIVATE_REGISTRIES
  }
  if (mayBePrivate(options, registry)) return undefined
  const refused = refusedLiteral(registry.replace(/:\d+$/, "").replaceAll(/[[\]]/g, ""))
  return refused && { _tag: "Failed", reason: "internal", message: refused.message, retryAt: now }
}
