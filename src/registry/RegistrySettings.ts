// What the registry client needs of the program's settings, read anew at every use: it changes while we run.
import { Context, type Duration, Effect, Layer, Result, SubscriptionRef } from "effect"
import type { Backup } from "../image/BackupName.ts"
import { canonicalRegistry } from "../image/ImageReference.ts"
import { backup, type Settings } from "../settings/Settings.ts"
import { SettingsRef } from "../settings/SettingsRef.ts"
import { type CloudOptions, cloudOptionsOf } from "./identity/CloudOptions.ts"

export interface RegistryOptions {
  readonly backup: Backup
  /** `host[:port]` spoken to without TLS. */
  readonly plainHttp: ReadonlyArray<string>
  /** `host[:port]` that may be at private addresses; the backup and the plain-HTTP ones always may. */
  readonly privateHosts: ReadonlyArray<string>
  /** `host=realm-host`: token servers outside their registry's domain that see its login. Default: none. */
  readonly trustedTokenServers?: ReadonlyArray<string>
  /**
   * `proven-public`: a source's credential is used only after an anonymous HEAD succeeded (invariant 7).
   * `always`: the user copies by hand and whatever credentials they have are used, for sources too.
   */
  readonly sourceCredentials: "proven-public" | "always"
  /**
   * An image whose tag in the backup names the source's digest is there, and nothing else is asked: the tag is pushed last.
   * Otherwise all below it is looked at once a run, and signatures that came later are looked for.
   */
  readonly believeTags?: boolean
  /**
   * A registry that gives no answer is asked by one request at a time, and the first questions of an image fail at once
   * meanwhile (Reachability.ts): for whoever tries again by itself. Otherwise every request has its own tries.
   */
  readonly spareSilent?: boolean
  /** Signatures, SBOMs and attestations are copied with their image. */
  readonly referrers: boolean
  /** Larger images are skipped; undefined: none is too large. */
  readonly mostImageBytes: number | undefined
  /** What all blobs together may be read with; undefined: as fast as it goes. */
  readonly bytesPerSecond: number | undefined
  /** How long the copying of one image may take. */
  readonly cloneTimeout: Duration.Duration
  /** A tag of the backup stays at the first digest that it named. Default: it moves with the source's. */
  readonly keepTags?: boolean
  /** Share of an announced budget that is left to others, 0 to 1. */
  readonly reserve: number
  /** Identities that clouds give us; undefined: none is used. */
  readonly clouds?: CloudOptions
}

/** What a command adds to the settings: the hosts its user named may be private. */
export interface ByHand {
  readonly backup?: Backup
  readonly privateHosts: ReadonlyArray<string>
  /** `always` for the \`clone\` command alone. */
  readonly sourceCredentials: RegistryOptions["sourceCredentials"]
  readonly believeTags?: boolean
  /** The process copies one image and does nothing else. */
  readonly alone?: boolean
}

const optionsOf = (settings: Settings, byHand: ByHand | undefined): RegistryOptions => ({
  backup: byHand?.backup ?? backup(settings),
  plainHttp: settings.PLAIN_HTTP_REGISTRIES,
  privateHosts: [...settings.PRIVATE_REGISTRIES, ...byHand?.privateHosts ?? []],
  // what stands for a cloud's registry has that registry's token server
  trustedTokenServers: [...settings.TRUSTED_TOKEN_SERVERS, ...settings.CLOUD_DOMAINS],
  sourceCredentials: byHand?.sourceCredentials ?? "proven-public",
  believeTags: byHand?.believeTags ?? false,
  spareSilent: byHand === undefined,
  referrers: settings.COPY_REFERRERS,
  mostImageBytes: settings.MAX_IMAGE_SIZE,
  bytesPerSecond: settings.MAX_BANDWIDTH,
  cloneTimeout: settings.CLONE_TIMEOUT,
  keepTags: settings.TAG_POLICY === "keep",
  reserve: settings.RATE_LIMIT_RESERVE / 100,
  clouds: cloudOptionsOf(settings)
})

export class RegistrySettings extends Context.Service<RegistrySettings, {
  readonly current: () => RegistryOptions
}>()("image-cloner/registry/RegistrySettings") {
  /** Options that never change. */
  static readonly layerOf = (options: RegistryOptions): Layer.Layer<RegistrySettings> =>
    Layer.succeed(RegistrySettings, RegistrySettings.of({ current: () => options }))

  /** Follows the program's settings; `byHand` is for commands whose user names what they work on. */
  static readonly layer = (byHand?: ByHand): Layer.Layer<RegistrySettings, never, SettingsRef> =>
    Layer.effect(
      RegistrySettings,
      Effect.map(SettingsRef, (ref) => {
        let from: Settings | undefined
        let options: RegistryOptions | undefined
        return RegistrySettings.of({
          current: () => {
            const settings = SubscriptionRef.getUnsafe(ref)
            if (options === undefined || settings !== from) {
              from = settings
              options = optionsOf(settings, byHand)
            }
            return options
          }
        })
      })
    )
}

/** What lists of hosts come to, for as long as they are in use: every request asks. */
const canonical = new WeakMap<ReadonlyArray<string>, ReadonlySet<string>>()

/** Is `registry` (canonical) among these hosts, however they are written? */
export const includesHost = (hosts: ReadonlyArray<string>, registry: string): boolean => {
  const known = canonical.get(hosts) ?? new Set(hosts.map((it) => Result.getOrElse(canonicalRegistry(it), () => it)))
  canonical.set(hosts, known)
  return known.has(registry)
}
