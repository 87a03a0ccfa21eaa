// Whether the program is alive and ready: named checks that its parts register, read by /healthz and /readyz.
// Liveness is about ourselves only (a restart would help); what others do, an API server or a registry, is never part of it.
import { Cause, Context, Effect, Exit, Layer, type Scope } from "effect"

/** Undefined: all is well. Else what is wrong, in a few words. */
export type Check = Effect.Effect<string | undefined>

export interface Report {
  readonly ok: boolean
  readonly checks: ReadonlyArray<{ readonly name: string; readonly problem: string | undefined }>
}

const patience = "1 second" // the kubelet waits as long by default

export class Health extends Context.Service<Health, {
  /** As long as the scope lives. A check that takes longer than a second, fails or dies is a problem. */
  readonly add: (kind: "alive" | "ready", name: string, check: Check) => Effect.Effect<void, never, Scope.Scope>
  readonly alive: Effect.Effect<Report>
  /** Not before there is a check, and not while `drain` lasts. */
  readonly ready: Effect.Effect<Report>
  /** From now on not ready, for good: the program is about to stop. */
  readonly drain: Effect.Effect<void>
}>()("image-cloner/telemetry/Health") {
  static readonly layer: Layer.Layer<Health> = Layer.sync(Health, () => {
    const checks = { alive: new Map<string, Check>(), ready: new Map<string, Check>() }
    let draining = false

    const run = ([name, check]: readonly [string, Check]) =>
      check.pipe(
        Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.succeed("no answer within a second") }),
        Effect.exit,
        Effect.map((exit) => ({
          name,
          problem: Exit.isSuccess(exit) ? exit.value : `the check failed: ${String(Cause.squash(exit.cause))}`
        }))
      )

    const report = (kind: "alive" | "ready") =>
      Effect.suspend(() => Effect.forEach(checks[kind], run, { concurrency: "unbounded" }))

    return Health.of({
      add: (kind, name, check) =>
        Effect.asVoid(Effect.acquireRelease(
          Effect.sync(() => checks[kind].set(name, check)),
          () => Effect.sync(() => checks[kind].delete(name))
        )),
      alive: Effect.map(report("alive"), (all) => ({
        ok: all.every((it) => it.problem === undefined),
        checks: all
      })),
      ready: Effect.map(report("ready"), (all) => ({
        ok: !draining && all.length > 0 && all.every((it) => it.problem === undefined),
        checks: draining ? [...all, { name: "draining", problem: "the program is stopping" }] : all
      })),
      drain: Effect.sync(() => void (draining = true))
    })
  })
}

/** The report as the API server writes its own: one line a check, then the sum. */
export const format = (name: string, report: Report): string =>
  [
    ...report.checks.map((it) => it.problem === undefined ? `[+]${it.name} ok` : `[-]${it.name} failed: ${it.problem}`),
    `${name} check ${report.ok ? "passed" : "failed"}`,
    ""
  ].join("\n")
