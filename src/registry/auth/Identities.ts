// As whom a repository may be asked (invariants 6 and 7), decided by parsed names in one place: as the backup's owner for
// repositories under its prefix only, as the owner of a source's login only where an anonymous client was let in before.
// A client certificate is a credential like any other, and so is a login that several hosts share: what opens the backup
// is never shown to a source.
import { Clock, type Duration, Effect, Option } from "effect"
import { makeBoundedMap } from "../../collections/BoundedMap.ts"
import { makeExpiringSet } from "../../collections/ExpiringSet.ts"
import { isUnder } from "../../image/BackupName.ts"
import type { Repository } from "../../image/Repository.ts"
import type { CloudError } from "../identity/CloudError.ts"
import { type CloudIdentities, noClouds, type Side } from "../identity/CloudIdentities.ts"
import type { LoginAdvice } from "../RegistryError.ts"
import type { RegistryOptions } from "../RegistrySettings.ts"
import type { Credentials } from "./Credentials.ts"
import type { Credential } from "./DockerConfig.ts"

export type Role = Side

/** As whom a request is sent. */
export interface Identity {
  /** For caches, budgets and logs: `anonymous`, or something that tells identities apart without telling secrets. */
  readonly name: string
  readonly credential: Credential | undefined
  /** The client certificate for the registry's host is shown. */
  readonly certificate: boolean
}

export const anonymous: Identity = { name: "anonymous", credential: undefined, certificate: false }

/** Reading and writing are settled apart: the login that may read need not be the one that may write. */
export type Use = "read" | "write"

export interface Access {
  readonly roleOf: (repository: Repository) => Role
  /**
   * As whom the repository may be asked now, in the order in which they are tried, at least one. `settled`: the first of
   * them has been let in before. Fails where only a cloud's identity could open the backup, and the cloud gives none.
   */
  readonly identitiesFor: (
    repository: Repository,
    use: Use
  ) => Effect.Effect<{ readonly identities: ReadonlyArray<Identity>; readonly settled: boolean }, CloudError>
  /**
   * Who we are in place of one that was refused: only where a cloud has given its login, and gives another. `expired`: the
   * registry says that it has ended.
   */
  readonly renewed: (
    repository: Repository,
    identity: Identity,
    expired: boolean
  ) => Effect.Effect<Identity | undefined, CloudError>
  /** Who we are for what takes so long: another only where a cloud's login would end before, and it gives a new one. */
  readonly lasting: (
    repository: Repository,
    identity: Identity,
    least: Duration.Duration
  ) => Effect.Effect<Identity>
  /** This one was let in: the next requests begin with it. */
  readonly settle: (repository: Repository, use: Use, identity: Identity) => Effect.Effect<void>
  /** Is there an identity that only waits for the proof that the repository is public? */
  readonly needsProof: (repository: Repository) => Effect.Effect<boolean>
  /** An anonymous HEAD of the source has just succeeded. */
  readonly provenPublic: (repository: Repository) => Effect.Effect<void>
  /**
   * It was refused, at this repository or by the token server: a source does not see it for a while, a backup sees it last.
   * True when that is to be said: it has not been for hours.
   */
  readonly refused: (
    repository: Repository,
    use: Use,
    identity: Identity,
    by: "repository" | "realm"
  ) => Effect.Effect<boolean>
  /** For people, beside a refusal: with which login it was asked, by file and key, or why there was none. Tells no secret. */
  readonly advise: (repository: Repository, identity: Identity) => Effect.Effect<LoginAdvice | undefined>
}

const proofNanos = 24n * 3_600_000_000_000n
const distrustNanos = 600_000_000_000n
/** A refusal that goes on is said once: what is tried again comes within this time. */
const saidNanos = 6n * 3_600_000_000_000n

const nameOf = (it: Repository) => `${it.registry}/${it.repository}`

/** `place` is a registry, or the name of a repository. */
const distrustKey = (place: string, use: Use, { name }: Identity) => `${use} ${place} ${name}`

/** The same with another credential. */
const as = (identity: Identity, credential: Credential): Identity => ({
  ...identity,
  name: credential.fingerprint,
  credential
})

const mustProve = ({ sourceCredentials }: RegistryOptions): boolean => sourceCredentials === "proven-public"

/** Whom the credentials and certificates that there are would let us be. */
const makeOffers = (
  settings: () => RegistryOptions,
  credentials: Credentials["Service"],
  clouds: CloudIdentities,
  hasCertificate: (registry: string) => boolean,
  isDistrusted: (repository: Repository, use: Use, identity: Identity, now: bigint) => boolean
) => {
  /** Everybody that we could be at a repository, anonymous aside. What people have written down goes before clouds. */
  const known = Effect.fnUntraced(function*({ registry, repository }: Repository, side: Side) {
    const written = yield* credentials.lookup(registry, repository)
    const certificate = hasCertificate(registry)
    const found = written.length > 0 || certificate
      ? written
      : Option.toArray(yield* clouds.credentialFor(registry, side))
    return found.length === 0 && certificate
      ? [{ name: "certificate", credential: undefined, certificate }]
      : found.map((credential): Identity => ({ name: credential.fingerprint, credential, certificate }))
  })

  /** The same, and nobody where a cloud gives no login: it has been said. */
  const knownIfAny = (repository: Repository, side: Side): Effect.Effect<ReadonlyArray<Identity>> =>
    Effect.orElseSucceed(known(repository, side), () => [])

  /** What there is for a source, were it known to be public. */
  const offered = Effect.fnUntraced(function*(repository: Repository) {
    const { backup } = settings()
    const isGuarded = mustProve(settings())
    // a tenant may name any repository on the backup's host: its login must not open them
    if (isGuarded && repository.registry === backup.registry) return []
    const all = yield* knownIfAny(repository, "source")
    if (all.length === 0) return all
    const now = yield* Clock.monotonicTimeNanos
    const owning = isGuarded
      ? yield* knownIfAny({ registry: backup.registry, repository: backup.prefix }, "backup")
      : []
    const owners = new Set(owning.map((it) => it.name))
    return all.filter((it) =>
      !(it.credential !== undefined && owners.has(it.name)) && !isDistrusted(repository, "read", it, now)
    )
  })

  /** The backup's owners, those whom it has refused lately last. */
  const owning = Effect.fnUntraced(function*(repository: Repository, use: Use) {
    const isOpen = use === "read" && clouds.isOpenToAll(repository.registry)
    const all = yield* (isOpen ? knownIfAny : known)(repository, "backup")
    if (all.length < 2) return all
    const now = yield* Clock.monotonicTimeNanos
    const late = all.filter((it) => isDistrusted(repository, use, it, now))
    return [...all.filter((it) => !late.includes(it)), ...late]
  })

  return { offered, owning }
}

/** Logins of clouds that take the place of others. */
const makeRenewals = (clouds: CloudIdentities, roleOf: Access["roleOf"]): Pick<Access, "renewed" | "lasting"> => ({
  renewed: (repository, identity, expired) =>
    identity.credential === undefined
      ? Effect.undefined
      : Effect.map(
        clouds.renewed(repository.registry, roleOf(repository), identity.credential, expired),
        (it) => Option.isNone(it) ? undefined : as(identity, it.value)
      ),
  lasting: (repository, identity, least) =>
    identity.credential === undefined
      ? Effect.succeed(identity)
      : clouds.lasting(repository.registry, roleOf(repository), identity.credential, least).pipe(
        Effect.map((it) => Option.isNone(it) ? identity : as(identity, it.value)),
        // a cloud that gives no other says so itself: the request is sent with what there is
        Effect.orElseSucceed(() => identity)
      )
})

export const makeAccess = (
  settings: () => RegistryOptions,
  credentials: Credentials["Service"],
  hasCertificate: (registry: string) => boolean,
  clouds: CloudIdentities = noClouds
): Access => {
  /** By `registry/repository`: an anonymous client was let in. */
  const proofs = makeExpiringSet(50_000, proofNanos)
  const distrusted = makeExpiringSet(4096, distrustNanos)
  const said = makeExpiringSet(4096, saidNanos)
  /** Names of the identities that were let in. */
  const letIn = makeBoundedMap<string, string>(50_000)

  const offers = makeOffers(
    settings,
    credentials,
    clouds,
    hasCertificate,
    (repository, use, identity, now) =>
      distrusted.has(distrustKey(repository.registry, use, identity), now) ||
      distrusted.has(distrustKey(nameOf(repository), use, identity), now)
  )

  const roleOf = (repository: Repository): Role => isUnder(settings().backup, repository) ? "backup" : "source"

  /** May a source's logins be used: it is proven to be public, or a user who works by hand says so. */
  const mayOffer = (repository: Repository) =>
    Effect.map(Clock.monotonicTimeNanos, (now) => !mustProve(settings()) || proofs.has(nameOf(repository), now))

  return {
    roleOf,
    identitiesFor: Effect.fnUntraced(function*(repository, use) {
      const isBackup = roleOf(repository) === "backup"
      const possible: ReadonlyArray<Identity> = isBackup
        ? yield* offers.owning(repository, use)
        : (yield* mayOffer(repository))
        ? yield* offers.offered(repository)
        : []
      // a public image must not fail because a login has gone stale; nobody but its owner writes to a backup
      const identities = isBackup && possible.length > 0 ? possible : [...possible, anonymous]
      if (identities.length === 1) return { identities, settled: true }
      const name = letIn.get(`${use} ${nameOf(repository)}`)
      const settled = identities.find((it) => it.name === name)
      return settled === undefined
        ? { identities, settled: false }
        : { identities: [settled, ...identities.filter((it) => it !== settled)], settled: true }
    }),
    ...makeRenewals(clouds, roleOf),
    settle: (repository, use, identity) => Effect.sync(() => letIn.set(`${use} ${nameOf(repository)}`, identity.name)),
    needsProof: Effect.fnUntraced(function*(repository) {
      if (roleOf(repository) === "backup" || (yield* mayOffer(repository))) return false
      return (yield* offers.offered(repository)).length > 0
    }),
    provenPublic: Effect.fnUntraced(function*(repository) {
      if (roleOf(repository) === "source") proofs.add(nameOf(repository), yield* Clock.monotonicTimeNanos)
    }),
    refused: Effect.fnUntraced(function*(repository, use, identity, by) {
      const now = yield* Clock.monotonicTimeNanos
      const place = by === "realm" ? repository.registry : nameOf(repository)
      const news = distrusted.add(distrustKey(place, use, identity), now)
      const settled = `${use} ${nameOf(repository)}`
      if (letIn.get(settled) === identity.name) letIn.delete(settled)
      // a helper is a process: it is not started for every refusal
      if (news && identity.credential !== undefined) yield* credentials.refused(identity.credential)
      // reading and writing are refused apart, and are one thing to people
      return said.add(`${place} ${identity.name}`, now)
    }),
    advise: (repository, identity) => {
      const { certificate, credential } = identity
      if (credential !== undefined) {
        const text = `asked with ${credential.origin ?? "a login"}`
        return Effect.succeed({ text, shown: true, ...(credential.byCloud === true ? { byCloud: true } : {}) })
      }
      if (certificate) return Effect.succeed({ text: "asked with the client certificate of its host", shown: true })
      // what nobody may read is not copied, whatever logins there are
      return roleOf(repository) === "source" && mustProve(settings())
        ? Effect.undefined
        : Effect.map(
          credentials.absence(repository.registry, repository.repository),
          (why) => ({ text: `asked without a login: ${why}`, shown: false })
        )
    }
  }
}
