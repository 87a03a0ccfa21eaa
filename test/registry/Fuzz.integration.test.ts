// Hostile registries, token servers, content hosts and redirects against the whole client and cloner, over real sockets and a
// recording proxy: no crash, no wait without an end, no credential outside its host, none in a log line or an error.
// FUZZ_RUNS and FUZZ_SEED make it longer and different; a failure prints the smallest case that still fails.
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Layer, Logger, Option, References, Result, Schema } from "effect"
import { inspect } from "node:util"
import { Cloner } from "../../src/clone/Cloner.ts"
import { CloneError } from "../../src/clone/CloneError.ts"
import { parse } from "../../src/image/ImageReference.ts"
import { RegistryClient } from "../../src/registry/RegistryClient.ts"
import { RegistryError } from "../../src/registry/RegistryError.ts"
import { makeCertificatesFor } from "../kube/Certificates.ts"
import { clonerLayer } from "../support/Registries.ts"
import { layerOf } from "../support/TestImages.ts"
import { type Host, HostileAnswer } from "./HostileAnswers.ts"
import { image, names, secrets, startHostileWorld } from "./HostileWorld.ts"

const runs = Number(process.env["FUZZ_RUNS"] ?? 250)
const seed = process.env["FUZZ_SEED"] ?? "1"

/** Far more than any operation may take with the limits below. */
const deadline = Duration.seconds(8)
const limits = {
  attempts: 2,
  connectTimeout: Duration.millis(500),
  answerTimeout: Duration.millis(150),
  wholeTimeout: Duration.millis(300),
  commitTimeout: Duration.millis(300),
  stallWindow: Duration.millis(300),
  longestWait: Duration.millis(20)
}

const Operation = Schema.Union([
  Schema.Struct({
    what: Schema.Literals(["head", "get", "blob", "has", "referrers", "upload", "mount", "put"]),
    at: Schema.Literals([
      "source source/app",
      "source private/app",
      "backup mirror/app",
      "backup mirror/app",
      "backup private/app",
      "evil evil/app"
    ]),
    reference: Schema.Literals(["1", "2", "none", "digest"])
  }),
  Schema.Struct({
    what: Schema.Literal("clone"),
    reference: Schema.Literals([
      "{source}/source/app:1",
      "{source}/source/app:1",
      "{source}/source/app:2",
      "{source}/private/app:1",
      "{backup}/private/app:1",
      "{evil}/evil/app:1",
      "{evil}/evil/app:2",
      "Constructor/evil/app:1",
      "{backup}./private/app:1",
      "169.254.169.254/latest/meta-data:1",
      "[::ffff:10.0.0.1]:6443/api/v1:1"
    ])
  })
])
type Operation = typeof Operation.Type

const Case = Schema.Struct({
  answers: Schema.Array(HostileAnswer).check(Schema.isMaxLength(6)),
  operations: Schema.NonEmptyArray(Operation).check(Schema.isMaxLength(4)),
  logins: Schema.Literals(["basic", "several", "identity", "registry", "none"]),
  byHand: Schema.Boolean
})

const config = image.blobs.find((it) => image.configs.includes(it.digest)) ?? layerOf("none")

const perform = Effect.fnUntraced(function*(operation: Operation, hosts: Readonly<Record<Host, string>>) {
  if (operation.what === "clone") {
    const text = operation.reference.replaceAll(/\{(\w+)\}/g, (_, host: Host) => hosts[host])
    const parsed = parse(text)
    return Result.isSuccess(parsed) ? yield* (yield* Cloner).clone(parsed.success) : undefined
  }
  const client = yield* RegistryClient
  const [host, name] = operation.at.split(" ") as [Host, string] // as written above
  const repository = { registry: hosts[host], repository: name }
  const reference = operation.reference === "digest" ? image.root.digest : operation.reference
  const blob = config.digest
  switch (operation.what) {
    case "head":
      return yield* client.headManifest(repository, reference)
    case "get":
      return yield* client.getManifest(repository, reference)
    case "has":
      return yield* client.hasBlob(repository, blob)
    case "referrers":
      return yield* client.referrersOf(repository, image.root.digest)
    case "put":
      return yield* client.putManifest(repository, reference, image.root)
    case "mount":
      return yield* client.mountBlob(repository, blob, { ...repository, repository: "mirror/other" })
    case "upload": {
      const upload = yield* client.startUpload(repository, blob)
      return yield* client.putBlob(upload, blob, 0, undefined).pipe(Effect.onError(() => client.cancelUpload(upload)))
    }
    case "blob":
      return yield* Effect.scoped(client.openBlob(repository, blob, operation.reference === "digest" ? 7 : 0))
  }
})

/** Tabs and ends of lines aside. */
const control = /(?![\t\n])[\p{Cc}\u2028-\u202e]/u

/** What is wrong with how an operation ended. */
const wrongEnd = (exit: Exit.Exit<Option.Option<unknown>, unknown>): ReadonlyArray<string> => {
  if (Exit.isSuccess(exit)) return Option.isNone(exit.value) ? [`no end within ${Duration.format(deadline)}`] : []
  if (Cause.hasDies(exit.cause) || Cause.hasInterrupts(exit.cause)) return [`a defect: ${Cause.pretty(exit.cause)}`]
  return exit.cause.reasons.flatMap((reason) => {
    const error = Cause.isFailReason(reason) ? reason.error : undefined
    if (!(error instanceof RegistryError || error instanceof CloneError)) {
      return [`an error of no type: ${inspect(error)}`]
    }
    return control.test(error.message) ? [`control characters in ${JSON.stringify(error.message)}`] : []
  })
}

const told = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? "" : `${Cause.pretty(exit.cause)} ${JSON.stringify(exit)} ${inspect(exit, { depth: 12 })}`

/** Runs a case and lists what went wrong. */
const judge = Effect.fnUntraced(function*(
  { answers, byHand, logins, operations }: typeof Case.Type,
  tls: Awaited<ReturnType<typeof makeCertificatesFor>> | undefined
) {
  const lines: Array<string> = []
  const logger = Logger.make(({ cause, fiber, message }) => {
    const annotations = fiber.getRef(References.CurrentLogAnnotations)
    lines.push(`${inspect(message, { depth: 12 })} ${inspect(annotations)} ${Cause.pretty(cause)}`)
  })
  const world = yield* startHostileWorld({ answers, logins, byHand, tls })
  const ends = yield* Effect.forEach(
    operations,
    (operation) => Effect.exit(Effect.timeoutOption(perform(operation, world.hosts), deadline))
  ).pipe(
    // within: the client's layer for tests is silent
    Effect.provideService(References.MinimumLogLevel, "All"),
    Effect.provide(Layer.merge(clonerLayer({ ...world.options, limits }), Logger.layer([logger])))
  )
  const text = [...lines, ...ends.map(told)]
  return [
    ...ends.flatMap(wrongEnd),
    ...world.violations(),
    ...secrets.flatMap((secret) => text.filter((it) => it.includes(secret)).map((it) => `${secret} is told: ${it}`))
  ]
}, Effect.scoped)

const issued = makeCertificatesFor(Object.values(names))

describe("nothing that a registry says", () => {
  it.live.prop(
    "makes the client crash, hang, or send a credential where it does not belong, in the clear",
    { case: Case },
    ({ case: one }) =>
      Effect.gen(function*() {
        assert.strictEqual((yield* judge(one, undefined)).join("\n"), "")
      }).pipe(Effect.provide(NodeServices.layer)),
    { timeout: 300_000, arbitrary: { runs, seed } }
  )

  it.live.prop(
    "makes it show a client certificate, or anything else, where it does not belong, over TLS",
    { case: Case },
    ({ case: one }) =>
      Effect.gen(function*() {
        const tls = yield* Effect.promise(() => issued)
        assert.strictEqual((yield* judge(one, tls)).join("\n"), "")
      }).pipe(Effect.provide(NodeServices.layer)),
    { timeout: 300_000, arbitrary: { runs: Math.ceil(runs / 2), seed } }
  )
})
