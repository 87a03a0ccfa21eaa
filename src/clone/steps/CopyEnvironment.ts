// What copying one image needs of the program around it. Edge: Cloner.ts makes it, CopyImage.ts uses it.
import type { Effect, Scope } from "effect"
import type { Backup } from "../../image/BackupName.ts"
import type { Digest } from "../../image/Digest.ts"
import type { Limits } from "../../registry/Limits.ts"
import type { RegistryClient } from "../../registry/RegistryClient.ts"
import type { CloneError } from "../CloneError.ts"
import type { Landings } from "./Landings.ts"
import type { Ledger } from "../Ledger.ts"
import type { Looked } from "./Look.ts"

/** Runs a part of the copy when it is its turn. */
export type Place = <A, R>(part: Effect.Effect<A, CloneError, R>) => Effect.Effect<A, CloneError, R>

export interface CopyEnvironment {
  /** Where names are asked for. What is there already needs no more, and waits for no copy of another image. */
  readonly looking: Place
  /** Does everything else, step after step: an image's own manifest, what is below it, its tags; in one scope. */
  readonly inTurn: <A, B, C>(steps: {
    readonly fetch: Effect.Effect<A, CloneError>
    readonly copy: (fetched: A) => Effect.Effect<B, CloneError, Scope.Scope>
    readonly tag: (copied: B) => Effect.Effect<C, CloneError>
  }) => Effect.Effect<C, CloneError>
  /** What its last look told, where it has waited in line since, and its turn has come. */
  readonly lookBefore: () => Looked | undefined
  readonly keepLook: (looked: Looked) => void
  /** Spent in these places so far. */
  readonly seconds: Effect.Effect<number>
  readonly registry: RegistryClient["Service"]
  readonly limits: Limits
  readonly ledger: Ledger
  readonly landings: Landings
  readonly backup: Backup
  /** MAX_IMAGE_SIZE in bytes. */
  readonly mostBytes: number | undefined
  /** Are signatures, SBOMs and attestations wanted? */
  readonly referrers: boolean
  /** Is an image there because the backup's tag names it? */
  readonly believeTags: boolean
  /** For a repair: nothing is believed because it was seen before, and these parts are sent again in any case. */
  readonly damaged?: ReadonlySet<Digest>
  /** Whether pods are being started from the backup's tag: it does not move then. */
  readonly tagInUse: Effect.Effect<boolean>
  /** The backup's tag stays at the first digest that it named (TAG_POLICY). */
  readonly keepTags: boolean
  /** Hears what the source's tag names, and what the copy's stays at, where that is another digest. Default: it is logged. */
  readonly drifted?: ((source: Digest, kept: Digest) => Effect.Effect<void>) | undefined
  /** What the backup's tag was last seen to name: what whoever uses it expects there where it was lost. */
  readonly expected: Digest | undefined
  /** The same, where it is to be used instead of the source: put back where tag and source are lost. */
  readonly last?: Digest
}
