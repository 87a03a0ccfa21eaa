// What the process itself needs to know, from the environment alone: ports, logs, folders, who it is.
// Not a setting of the cloning (those are Settings.ts): nothing here changes while the program runs.
import { Config, Context, Effect, FileSystem, Layer, type LogLevel, Option, Result } from "effect"
import { hostname } from "node:os"
import { parseProxies, type Proxies, proxyKeys } from "./Proxies.ts"
import { type Problem, SettingsError } from "./SettingsError.ts"

const logLevels: ReadonlyMap<string, LogLevel.LogLevel> = new Map([
  ["trace", "Trace"],
  ["debug", "Debug"],
  ["info", "Info"],
  ["warn", "Warn"],
  ["warning", "Warn"],
  ["error", "Error"],
  ["fatal", "Fatal"],
  ["none", "None"]
])

/** The keys with what they mean; docs/configuration.md is generated from here. */
export const processKeys = {
  HTTP_PORT: {
    fallback: "8080",
    description: "Port of metrics, health and status page. 0 takes a free one; the address is logged."
  },
  LOG_LEVEL: { fallback: "info", description: "`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `none`." },
  LOG_FORMAT: { fallback: "json; pretty on a terminal", description: "`json`, `logfmt` or `pretty`." },
  DOCKER_CONFIG: {
    fallback: "`.docker` in the home folder",
    description: "Folder of `config.json` with the credentials of registries, or that file itself."
  },
  CERTS_DIR: {
    fallback: "/etc/docker",
    description:
      "Folder with the certificates of registries in docker's layout, `certs.d/<host[:port]>/`: every `*.crt` is an "
      + "authority, trusted there beside the system's; `NAME.cert` with `NAME.key` is a client certificate. Read again when "
      + "they change."
  },
  ...proxyKeys,
  POD_NAMESPACE: {
    fallback: "that of the mounted ServiceAccount",
    description: "The controller's own namespace, which is always ignored, and has what the webhooks need."
  },
  POD_NAME: {
    fallback: "the host name",
    description: "What this replica is called where it leads: the first part of the holder of the Lease."
  },
  LEADER_ELECTION: {
    fallback: "false",
    description: "`true` or `false`: whether several replicas elect one that copies and rewrites; takes "
      + "`manifests/overlays/ha`."
  },
  WEBHOOK_PORT: {
    fallback: "9443",
    description:
      "Port of the admission webhooks, while one is on. 0 takes a free one, where WEBHOOK_URL names the port."
  },
  WEBHOOK_URL: {
    fallback: "the Service `image-cloner-webhook`",
    description:
      "Where the API server finds the webhooks of a controller beside the cluster: `https://host:port`, a path if need be, "
      + "no query. Its host is in the certificate."
  }
} as const

const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

export type LogFormat = "json" | "logfmt" | "pretty"

export class ProcessSettings extends Context.Service<ProcessSettings, {
  /** 0: a free one. */
  readonly httpPort: number
  readonly logLevel: LogLevel.LogLevel
  /** None: json, pretty on a terminal. */
  readonly logFormat: Option.Option<LogFormat>
  readonly certsDir: string
  readonly proxies: Proxies
  readonly podNamespace: Option.Option<string>
  readonly podName: string
  readonly leaderElection: boolean
  readonly webhookPort: number
  /** Without a slash at its end. */
  readonly webhookUrl: Option.Option<string>
}>()("image-cloner/settings/ProcessSettings") {
  /** Fails with everything that is wrong with the environment. */
  static readonly layer = Layer.effect(ProcessSettings, Effect.suspend(() => read))
}

const text = (key: string) =>
  Config.option(Config.String(key)).pipe(
    Effect.orElseSucceed(() => Option.none<string>()),
    Effect.map(Option.map((it) => it.trim())),
    Effect.map(Option.filter((it) => it !== ""))
  )

const portOf = (given: string): number | undefined =>
  /^\d{1,5}$/.test(given) && Number(given) <= 65535 ? Number(given) : undefined

/** An address that the API server takes (apiserver pkg/util/webhook, ValidateWebhookURL); undefined: it would not. */
const webhookUrlOf = (given: string): string | undefined => {
  const url = URL.parse(given)
  return url === null || url.protocol !== "https:" || url.search !== "" || url.hash !== "" || url.username !== "" ||
      url.password !== ""
    ? undefined
    : `${url.origin}${url.pathname.replace(/\/+$/, "")}`
}

const read: Effect.Effect<ProcessSettings["Service"], SettingsError, FileSystem.FileSystem> = Effect.gen(function*() {
  const problems: Array<Problem> = []
  const bad = (key: string, value: string, allowed: string) => {
    problems.push({ key, problem: `${JSON.stringify(value)} is not allowed; allowed is ${allowed}` })
  }
  const ports = new Map<string, number>()
  for (
    const [key, { fallback }] of [["HTTP_PORT", processKeys.HTTP_PORT], [
      "WEBHOOK_PORT",
      processKeys.WEBHOOK_PORT
    ]] as const
  ) {
    const given = Option.getOrElse(yield* text(key), () => fallback)
    const port = portOf(given)
    if (port === undefined) bad(key, given, "an integer from 0 to 65535")
    else ports.set(key, port)
  }
  const url = yield* text("WEBHOOK_URL")
  const webhookUrl = Option.filterMap(url, (it) => Result.fromNullishOr(webhookUrlOf(it), () => undefined))
  if (Option.isSome(url) && Option.isNone(webhookUrl)) {
    bad("WEBHOOK_URL", url.value.replace(/\/\/[^/]*@/, "//…@"), "https://host[:port][/path], no query")
  }

  const election = Option.getOrElse(yield* text("LEADER_ELECTION"), () => processKeys.LEADER_ELECTION.fallback)
  if (!/^(true|false)$/i.test(election)) bad("LEADER_ELECTION", election, "`true` or `false`")

  const level = Option.getOrElse(yield* text("LOG_LEVEL"), () => "info")
  const logLevel = logLevels.get(level.toLowerCase())
  if (logLevel === undefined) bad("LOG_LEVEL", level, processKeys.LOG_LEVEL.description)

  const format = yield* text("LOG_FORMAT")
  const logFormat = Option.filter(format, (it): it is LogFormat => it === "json" || it === "logfmt" || it === "pretty")
  if (Option.isSome(format) && Option.isNone(logFormat)) {
    bad("LOG_FORMAT", format.value, processKeys.LOG_FORMAT.description)
  }

  const variables = new Map<string, Option.Option<string>>()
  for (const key of Object.keys(proxyKeys).flatMap((it) => [it, it.toLowerCase()])) variables.set(key, yield* text(key))
  const { problems: wrong, proxies } = parseProxies((name) => variables.get(name) ?? Option.none())
  problems.push(...wrong)
  if (problems.length > 0 || logLevel === undefined) return yield* new SettingsError({ problems })

  const fs = yield* FileSystem.FileSystem
  const mounted = fs.readFileString(namespaceFile).pipe(
    Effect.map((it) => Option.filter(Option.some(it.trim()), (name) => name !== "")),
    Effect.orElseSucceed(() => Option.none<string>()) // not in a cluster
  )
  const podNamespace = yield* text("POD_NAMESPACE")
  return {
    httpPort: ports.get("HTTP_PORT") ?? 0,
    logLevel,
    logFormat,
    certsDir: Option.getOrElse(yield* text("CERTS_DIR"), () => "/etc/docker"),
    proxies,
    podNamespace: Option.isSome(podNamespace) ? podNamespace : yield* mounted,
    podName: Option.getOrElse(yield* text("POD_NAME"), () => hostname()),
    leaderElection: election.toLowerCase() === "true",
    webhookPort: ports.get("WEBHOOK_PORT") ?? 0,
    webhookUrl
  }
})
