// The settings: every configuration key with its description, its default and what is allowed, as one Schema.
// Pure. Where the values come from is Load.ts, how they change while the program runs SettingsRef.ts;
// docs/configuration.md is generated from here.
import { Duration, Result, Schema, SchemaIssue } from "effect"
import { type Backup, parseBackup } from "../image/BackupName.ts"
import { canonicalRegistry } from "../image/ImageReference.ts"
import { cloudSettings } from "./CloudSettings.ts"
import { type ExtraKind, extraKinds, extraName } from "./ExtraKinds.ts"
import { type Problem, SettingsError } from "./SettingsError.ts"
import {
  boolean,
  bytes,
  type Documentation,
  duration,
  fromText,
  glob,
  integer,
  list,
  namespace,
  objectName,
  oneOf,
  percent,
  setting,
  tokenServer
} from "./SettingTypes.ts"

const namespaces = "names of namespaces, comma separated"
const hosts = "hosts (`host[:port]`), comma separated"

export const Settings = Schema.Struct({
  BACKUP_REGISTRY: fromText(Schema.NonEmptyString, Result.succeed, String).annotate({
    description:
      "The registry that gets the copies, with the path under which they are kept, e.g. `quay.io/cargaona`. Nodes pull by the "
      + "same name, and those of most clusters do not resolve the names of Services (`….svc`).",
    allowed: "`host[:port]/prefix`",
    restart: true
  }),
  MAX_CONCURRENT_RECONCILES: setting(integer(1, 1000), 5, {
    description:
      "How many images are cloned at the same time; what as many others are now is asked meanwhile. Fewer while "
      + "the webhooks are asked and the program has no time for both.",
    allowed: "an integer from 1 to 1000"
  }),
  NAMESPACES_TO_IGNORE: setting(list(namespace), [], {
    description: "Namespaces whose workloads are neither cloned nor rewritten. `kube-system`, `kube-proxy` and the "
      + "controller's own namespace are always ignored.",
    allowed: namespaces
  }),
  NAMESPACES_TO_INCLUDE: setting(list(namespace), [], {
    description: "If set, only the workloads of these namespaces are cloned and rewritten: for adopting a cluster step "
      + "by step. Empty means all.",
    allowed: namespaces
  }),
  BACKUP_NAMESPACES: setting(list(namespace), [], {
    description: "Namespaces that serve the backup registry: their images are cloned, their workloads never rewritten, "
      + "or a cold start would never end. Where BACKUP_REGISTRY is the name of a Service (`NAME.NAMESPACE.svc`, with any domain "
      + "behind), its namespace counts without being listed. A registry of the cluster behind an ingress, a node port or an "
      + "address **has to be listed**: nothing tells. So do the namespaces of what it needs, such as its database.",
    allowed: namespaces
  }),
  IMAGES_TO_IGNORE: setting(list(glob), [], {
    description: "Images that are neither cloned nor rewritten: globs over the complete reference, such as "
      + "`docker.io/library/**`; `*` stops at `/`, `**` does not.",
    allowed: "globs, comma separated"
  }),
  REWRITE_MODE: setting(oneOf(["patch", "admission", "off"]), "patch", {
    description:
      "`patch`: the templates of workloads are patched to use the copies. `admission`: templates are never touched; "
      + "pods get their copies as they are made, which takes MUTATING_WEBHOOK. `off`: images are cloned only.",
    allowed: "`patch`, `admission` or `off`"
  }),
  MUTATING_WEBHOOK: setting(oneOf(["off", "on"]), "off", {
    description:
      "`on`: new pods are pointed to the copies that are there as they are made, whoever makes them. Nothing is "
      + "restarted for it. Takes manifests/overlays/admission.",
    allowed: "`off` or `on`"
  }),
  VALIDATING_WEBHOOK: setting(oneOf(["off", "warn", "enforce"]), "off", {
    description:
      "What becomes of new pods with images that are not from the backup. `warn`: whoever makes them is warned. "
      + "`enforce`: they are refused. A guard rail, which is open while the controller is down; "
      + "`image-cloner policy` prints one that is not. Takes manifests/overlays/admission.",
    allowed: "`off`, `warn` or `enforce`"
  }),
  BACKUP_DOWN: setting(oneOf(["skip", "rewrite"]), "skip", {
    description:
      "What becomes of new pods while the backup does not answer, or refuses. `skip`: they start from their originals. "
      + "`rewrite`: they are pointed to their copies all the same, for clusters that cannot reach the originals.",
    allowed: "`skip` or `rewrite`"
  }),
  MAX_CONCURRENT_ROLLOUTS: setting(integer(1, 1000), 3, {
    description: "How many rollouts that come from a rewrite may be under way at the same time.",
    allowed: "an integer from 1 to 1000"
  }),
  BACKUP_PULL_BY: setting(oneOf(["auto", "nodes"]), "auto", {
    description:
      "How it is known that pods can pull from the backup. `auto`: it is shown first, by one workload for each "
      + "namespace and set of pull secrets. `nodes`: your word that every node can, whatever the pods' secrets.",
    allowed: "`auto` or `nodes`"
  }),
  PULL_SECRET: setting(objectName, "", {
    description:
      "A Secret of the controller's namespace (`kubernetes.io/dockerconfigjson`) with a login that can only pull: it is kept in "
      + "every namespace whose workloads are rewritten, where **every tenant can read it**, and added to the ServiceAccounts "
      + "in use. Refused with the login that pushes. Takes manifests/pull-secret.",
    allowed: "the name of a Secret"
  }),
  BACKUP_LAYOUT: setting(oneOf(["auto", "nested", "flat"]), "auto", {
    description: "How copies are named. `nested`: `<prefix>/docker.io/library/nginx`. `flat`: "
      + "`<prefix>/docker-io-library-nginx-<hash>`, for registries with two levels. `auto`: flat on docker.io and "
      + "quay.io, else nested.",
    allowed: "`auto`, `nested` or `flat`",
    restart: true
  }),
  PIN_DIGESTS: setting(boolean, false, {
    description: "Rewrite to `name:tag@sha256:…`, so that a moved tag never changes a workload that is rewritten.",
    allowed: "`true` or `false`"
  }),
  TAG_POLICY: setting(oneOf(["follow", "keep"]), "follow", {
    description:
      "What becomes of a copy's tag when the source's tag moves. `follow`: the new image is copied whole, then the copy's "
      + "tag is moved to it; nothing is restarted. `keep`: the copy's tag stays at the first digest, and the drift is "
      + "reported.",
    allowed: "`follow` or `keep`"
  }),
  RESYNC_INTERVAL: setting(duration(Duration.minutes(1), Duration.hours(168)), Duration.hours(6), {
    description:
      "How often the tag of every copy in use is compared with its source's, by a HEAD of each, spread over the interval; "
      + "what the backup has lost is restored then. Every five minutes where a user pulls the image anew at every start "
      + "(`imagePullPolicy: Always`), and when the template of a user changes. Hosts that rest are asked later.",
    allowed: "hours and minutes from `1m` to `168h`, such as `6h` or `30m`"
  }),
  PLAIN_HTTP_REGISTRIES: setting(list(canonicalRegistry), [], {
    description: "Registries that are spoken to without TLS. Never guessed.",
    allowed: hosts
  }),
  PRIVATE_REGISTRIES: setting(list(canonicalRegistry), [], {
    description:
      "Registries that may resolve to loopback, link-local or private addresses. The backup's host and those "
      + "of PLAIN_HTTP_REGISTRIES always may.",
    allowed: hosts
  }),
  TRUSTED_TOKEN_SERVERS: setting(list(tokenServer), [], {
    description: "Token servers outside the domain of their registry that may see its login, such as "
      + "`registry.example.com=auth.example.net`. From any other the login is withheld: whoever answers for a registry could "
      + "name one of their own. Those of Docker Hub, NVIDIA, DigitalOcean, Scaleway and Alibaba are known.",
    allowed: "`host[:port]=realm-host[:port]`, comma separated"
  }),
  COPY_REFERRERS: setting(boolean, true, {
    description: "Signatures, SBOMs and attestations (OCI referrers and cosign's tags) are copied with their image, "
      + "before its tag. Those that come later are brought over when the image is looked at again, at most every six hours. "
      + "An image is a backup without them too: a failure is a warning.",
    allowed: "`true` or `false`"
  }),
  RATE_LIMIT_RESERVE: setting(percent, 20, {
    description: "Share of a registry's announced budget (Docker Hub's pulls) that is left to the cluster's own pulls: "
      + "when no more than this is left, nothing is copied from there for a while.",
    allowed: "0% to 100%"
  }),
  MAX_IMAGE_SIZE: setting(bytes(1), undefined, {
    description:
      "Images whose layers, of all platforms together, have more than this are skipped; the message says their "
      + "size. Copies that are there already are kept.",
    allowed: "a number of bytes, with K, M, G, T or Ki, Mi, Gi, Ti if wanted, such as `20Gi`"
  }),
  MAX_BANDWIDTH: setting(bytes(1024 * 1024), undefined, {
    description:
      "What all layers together are read with, in bytes a second. Each goes to the backup as it is read, so this bounds "
      + "both directions. An image has CLONE_TIMEOUT for its share. What is under way when a first limit is set ends "
      + "without it. Empty: no limit.",
    allowed: "a number of bytes from `1Mi` on, with K, M, G, T or Ki, Mi, Gi, Ti if wanted, such as `50Mi`"
  }),
  CLONE_TIMEOUT: setting(duration(Duration.minutes(15), Duration.hours(168)), Duration.hours(4), {
    description:
      "How long the copying of one image may take, from when it has its place; then the place is given to another, "
      + "and the image is tried again later. Layers that are whole by then are kept, so it has to be more than the largest "
      + "layer takes. Silence and dripping end a download much sooner.",
    allowed: "hours and minutes from `15m` to `168h`, such as `4h` or `1h30m`"
  }),
  ...cloudSettings,
  EXTRA_KINDS: setting(extraKinds, [], {
    description:
      "Kinds of custom resources that have a pod spec, and where, such as `argoproj.io/v1alpha1/Rollout=spec.template.spec`. "
      + "Their images are copied; an object is rewritten only where it is marked `image-cloner.io/rewrite: patch` itself. "
      + "Takes rights of its own (manifests/overlays/extra-kinds).",
    allowed: "`group/version/kind=path.to.podspec`, comma separated",
    restart: true
  }),
  DRY_RUN: setting(boolean, false, {
    description: "Nothing is copied or patched; what would be is logged, counted and shown.",
    allowed: "`true` or `false`"
  })
})
export type Settings = typeof Settings.Type
export type SettingsKey = keyof Settings
export { type ExtraKind, extraName }

// the keys of the Schema, which TypeScript widens to strings
export const keys = Object.keys(Settings.fields) as ReadonlyArray<SettingsKey>

/** A setting as it is written, for messages. */
export const textOf = (settings: Settings, key: SettingsKey): string => Schema.encodeSync(Settings)(settings)[key] ?? ""

/** Keys whose changes wait for a restart. */
export const restartKeys = keys.filter((key) => Schema.resolveAnnotations(Settings.fields[key])?.["restart"] === true)

/** What the Schema says of a key; `fallback` is the text of the default, undefined where the key is required. */
export const documentationOf = (key: SettingsKey): Documentation & { readonly fallback: string | undefined } => {
  const annotations = Schema.resolveAnnotations(Settings.fields[key])
  const fallback = key === "BACKUP_REGISTRY" ? undefined : Schema.encodeSync(Settings)(settingsOf("host/x"))[key]
  return {
    description: String(annotations?.description),
    allowed: String(annotations?.["allowed"]),
    ...(annotations?.["restart"] === true ? { restart: true } : {}),
    fallback
  }
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()
const decoder = Schema.decodeUnknownResult(Settings, { onExcessProperty: "error", errors: "all" })

/**
 * The settings of `texts`, one text a key, or everything that is wrong with them.
 * Spaces at the ends do not count and an empty text is as good as none.
 */
export const decode = (texts: Readonly<Record<string, string>>): Result.Result<Settings, SettingsError> => {
  const given = Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, text.trim()] as const).filter(([, text]) => text !== "")
  )
  const decoded = decoder(given)
  const problems: Array<Problem> = Result.isSuccess(decoded) ?
    [] :
    format(decoded.failure.issue).issues.map((issue) => ({
      key: String(issue.path?.[0] ?? ""),
      problem: problemOf(String(issue.path?.[0] ?? ""), given, issue.message)
    }))
  const { BACKUP_LAYOUT: layout, BACKUP_REGISTRY: registry } = given
  if (registry !== undefined) {
    const parsed = parseBackup(registry, layout === "nested" || layout === "flat" ? layout : "auto")
    if (Result.isFailure(parsed)) problems.unshift({ key: "BACKUP_REGISTRY", problem: parsed.failure.message })
  }
  if (Result.isSuccess(decoded)) problems.push(...contradictions(decoded.success))
  return Result.isSuccess(decoded) && problems.length === 0
    ? Result.succeed(decoded.success)
    : Result.fail(new SettingsError({ problems }))
}

/** What is allowed by itself, and not together. */
const contradictions = ({ MUTATING_WEBHOOK, REWRITE_MODE }: Settings): ReadonlyArray<Problem> =>
  REWRITE_MODE === "admission" && MUTATING_WEBHOOK === "off"
    ? [{ key: "REWRITE_MODE", problem: "`admission` takes MUTATING_WEBHOOK=on: without it nothing would be rewritten" }]
    : []

const problemOf = (key: string, given: Readonly<Record<string, string>>, message: string): string => {
  const known = keys.find((it) => it === key)
  if (known === undefined) return `there is no such setting; there are ${keys.join(", ")}`
  const { allowed } = documentationOf(known)
  return `${given[key] === undefined ? "it is required" : message}; allowed is ${allowed}`
}

/** The settings with their defaults, for tests and commands; `BACKUP_REGISTRY` is taken as it is. */
export const settingsOf = (registry: string, others: Partial<Settings> = {}): Settings => ({
  ...Result.getOrThrow(decoder({ BACKUP_REGISTRY: registry })), // a non-empty text and the defaults always decode
  ...others
})

/** The backup that the settings name. */
export const backup = (settings: Settings): Backup =>
  Result.getOrThrow(parseBackup(settings.BACKUP_REGISTRY, settings.BACKUP_LAYOUT)) // `decode` has let it through
