// References in, bytes out: everything this program says to registries goes through this service.
// Edge: knows no copying. Errors are RegistryError; the policies (credentials, addresses, rests) are inside.
import {
  Clock,
  Context,
  type Duration,
  Effect,
  FiberSet,
  type FileSystem,
  Layer,
  Metric,
  type Option,
  type Path
} from "effect"
import { noProxies, type Proxies } from "../settings/Proxies.ts"
import { makeHostLabel } from "../telemetry/HostLabel.ts"
import { registryRests, touchRegistry } from "../telemetry/Metrics.ts"
import { type Blobs, makeBlobs } from "./api/Blobs.ts"
import { makeManifests, type Manifests } from "./api/Manifests.ts"
import { makeReferrers, type Referrers } from "./api/Referrers.ts"
import { makeRequests } from "./api/Requests.ts"
import { Credentials } from "./auth/Credentials.ts"
import { type Access, makeAccess } from "./auth/Identities.ts"
import { makeSession } from "./auth/Session.ts"
import { makeTokens } from "./auth/Tokens.ts"
import { makeVersionCheck } from "./refusal/VersionCheck.ts"
import { endpointOf } from "./Endpoints.ts"
import { makeHostRests } from "./HostRests.ts"
import { makeCloudIdentities } from "./identity/CloudIdentities.ts"
import { cloudIn } from "./identity/CloudOptions.ts"
import { CloudLibraries } from "./identity/CloudLibraries.ts"
import { makeCloudRequests } from "./oauth/CloudRequests.ts"
import { makeCloudRepositories } from "./identity/CloudRepositories.ts"
import { makeSdkRequests } from "./identity/SdkRequests.ts"
import { CurrentLimits } from "./Limits.ts"
import type { Budget } from "./RateLimitHeaders.ts"
import { makeReachability, type Reachability } from "./Reachability.ts"
import { RegistrySettings } from "./RegistrySettings.ts"
import { Resolver } from "./transport/AddressPolicy.ts"
import { makeAgents } from "./transport/Agents.ts"
import { makeBandwidth } from "./transport/Bandwidth.ts"
import { makeCertificates } from "./transport/Certificates.ts"
import { makeTransport } from "./transport/Transport.ts"

export class RegistryClient extends Context.Service<
  RegistryClient,
  & Manifests
  & Blobs
  & Referrers
  & Pick<Access, "roleOf">
  & Pick<Reachability, "silenceOf" | "silences">
  & {
    /** What the registry has announced last of what may be read of it; undefined where it announces nothing. */
    readonly budgetOf: (registry: string) => Budget | undefined
    /** How long it is left alone by what can wait, its budget's reserve included; zero where it may be asked. */
    readonly restOf: (registry: string) => Effect.Effect<Duration.Duration>
  }
>()("image-cloner/registry/RegistryClient") {
  /** `certificates` is CERTS_DIR: authorities and client certificates in docker's layout. */
  static readonly layer = (options: {
    readonly certificates: Option.Option<string>
    readonly proxies?: Proxies
  }): Layer.Layer<RegistryClient, never, RegistrySettings | Credentials | FileSystem.FileSystem | Path.Path> =>
    Layer.effect(
      RegistryClient,
      Effect.gen(function*() {
        const settings = (yield* RegistrySettings).current
        const limits = yield* CurrentLimits
        const hostLabel = makeHostLabel([settings().backup.registry])
        yield* touchRegistry(settings().backup.registry)
        const certificates = yield* makeCertificates(options.certificates)
        const agents = yield* makeAgents({
          settings,
          certificates,
          proxies: options.proxies ?? noProxies,
          lookup: yield* Resolver,
          connectTimeout: limits.connectTimeout,
          readBytes: limits.readBytes
        })
        const bandwidth = makeBandwidth({
          bytesPerSecond: () => settings().bytesPerSecond,
          clock: yield* Clock.Clock,
          leastBytes: limits.stallBytes
        })
        const ends = yield* FiberSet.make()
        // before the sockets are closed: what a copy that was interrupted has begun at registries is ended there
        yield* Effect.addFinalizer(() =>
          Effect.timeoutOrElse(FiberSet.awaitEmpty(ends), { duration: "5 seconds", orElse: () => Effect.void })
        )
        const hosts = makeHostRests({
          longestWait: limits.longestWait,
          reserve: () => settings().reserve,
          onRest: (host) => Metric.update(registryRests({ host: hostLabel(host) }), 1)
        })
        const transport = makeTransport({ agents, certificates, limits, hosts, hostLabel })
        const providers = yield* (yield* CloudLibraries)(
          yield* makeSdkRequests(agents),
          makeCloudRequests(agents, (registry) => endpointOf(settings(), registry))
        )
        const clouds = yield* makeCloudIdentities(() => settings().clouds, providers)
        const access = makeAccess(settings, yield* Credentials, certificates.hasClient, clouds)
        const session = makeSession({
          settings,
          access,
          tokens: yield* makeTokens(transport),
          checkVersion: yield* makeVersionCheck(transport),
          transport
        })
        const requests = makeRequests(access, limits)
        const common = { session, requests, limits }
        const reachability = makeReachability(settings)
        const spareSilent = () => settings().spareSilent === true
        const hostOf = (registry: string) => session.endpointOf(registry)?.host ?? ""
        const budgetOf = (registry: string) => hosts.budgetOf(hostOf(registry))
        // Docker Hub announces it with what it has, and not with what it lacks
        const announcesBudget = (registry: string) => registry === "docker.io" || budgetOf(registry) !== undefined
        const manifests = makeManifests({ ...common, access, reachability, spareSilent, announcesBudget })
        return RegistryClient.of({
          ...manifests,
          ...makeReferrers({ ...common, manifests }),
          ...makeBlobs({
            ...common,
            bandwidth,
            pool: agents.pool,
            ends,
            repositories: yield* makeCloudRepositories(settings, providers),
            cloudIn: (registry) => cloudIn(settings().clouds, registry)
          }),
          roleOf: access.roleOf,
          silenceOf: reachability.silenceOf,
          silences: reachability.silences,
          restOf: (registry) => hosts.restOf(hostOf(registry)),
          budgetOf
        })
      })
    )
}
