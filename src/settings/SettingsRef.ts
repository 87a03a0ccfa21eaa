// The settings as they are now. The folder is watched and polled; wrong settings never replace good ones.
import { Context, Effect, FileSystem, Layer, Metric, Option, Stream, SubscriptionRef } from "effect"
import { settingsRejected, settingsReloads, settingsRestartRequired, touch } from "../telemetry/Metrics.ts"
import { makeSayings } from "../telemetry/Sayings.ts"
import { load } from "./Load.ts"
import { keys, restartKeys, type Settings, textOf } from "./Settings.ts"
import type { SettingsError } from "./SettingsError.ts"

// Whoever stops us waits for this at most, and is promised five seconds; inotify is silent on some network file systems
// and after a lost event, and a folder in which something changes all the time never is quiet.
const pollInterval = "3 seconds"
const quietTime = "200 millis" // a swap of the kubelet is a handful of events

const same = (one: Settings, other: Settings): boolean => JSON.stringify(one) === JSON.stringify(other)

// The kubelet replaces a link inside the folder, so the folder is watched, not its files. No watch: the poll remains.
const ticks = (directory: string): Stream.Stream<unknown, never, FileSystem.FileSystem> =>
  Stream.merge(
    Stream.tick(pollInterval),
    Stream.unwrap(Effect.map(FileSystem.FileSystem, (fs) => fs.watch(directory))).pipe(
      Stream.debounce(quietTime),
      Stream.catchCause((cause) =>
        Stream.drain(
          Stream.fromEffect(Effect.logDebug("the folder of the settings cannot be watched, only polled", cause))
        )
      )
    )
  )

/** What is done beside the log and the metric when settings are rejected. */
type Rejected = (error: SettingsError) => Effect.Effect<void>

const follow = Effect.fnUntraced(function*(
  ref: SubscriptionRef.SubscriptionRef<Settings>,
  directory: string,
  rejected: Rejected
) {
  const started = yield* SubscriptionRef.get(ref)
  // what is wrong is said once, not at every poll
  const { once } = makeSayings()

  const apply = Effect.fnUntraced(function*(read: Settings) {
    const current = yield* SubscriptionRef.get(ref)
    const later = restartKeys.filter((key) => textOf(read, key) !== textOf(started, key))
    const next: Settings = {
      ...read,
      BACKUP_REGISTRY: started.BACKUP_REGISTRY,
      BACKUP_LAYOUT: started.BACKUP_LAYOUT,
      EXTRA_KINDS: started.EXTRA_KINDS
    }
    yield* Metric.update(settingsRejected, 0)
    yield* Metric.update(settingsRestartRequired, later.length === 0 ? 0 : 1)
    if (!same(next, current)) {
      const changed = keys.filter((key) => JSON.stringify(next[key]) !== JSON.stringify(current[key]))
      yield* Metric.update(settingsReloads({ result: "applied" }), 1)
      yield* SubscriptionRef.set(ref, next)
      yield* Effect.logInfo(`settings changed: ${changed.map((key) => `${key}=${textOf(next, key)}`).join(" ")}`)
    }
    const said = later.map((key) => `${key}=${textOf(read, key)}`).join(" ")
    yield* once(
      said,
      said === ""
        ? Effect.void
        : Effect.logWarning(`settings changed that take effect with a restart only: ${said}; the old ones stay in use`)
    )
  })

  const reject = (error: SettingsError) =>
    Effect.andThen(
      Metric.update(settingsRejected, 1),
      once(
        error.message,
        Effect.andThen(
          Metric.update(settingsReloads({ result: "rejected" }), 1),
          Effect.logError(`the last good settings stay in use: ${error.message}`)
        ).pipe(Effect.andThen(rejected(error)))
      )
    )

  yield* ticks(directory).pipe(
    Stream.runForEach(() => load(Option.some(directory)).pipe(Effect.flatMap(apply), Effect.catch(reject)))
  )
  return yield* Effect.never
})

/** What fibers that run for ever are started with (Supervisor.ts). */
export type Run = <E, R>(name: string, effect: Effect.Effect<never, E, R>) => Effect.Effect<void, never, R>

export class SettingsRef extends Context.Service<SettingsRef, SubscriptionRef.SubscriptionRef<Settings>>()(
  "image-cloner/settings/SettingsRef"
) {
  /**
   * Reads the settings (fails with all that is wrong with them) and follows the folder.
   * The environment cannot change, so without a folder nothing is followed.
   * @param options.run starts the fiber that follows, and sees to it that its end is seen
   * @param options.rejected is done once for what is wrong with settings that are not taken
   */
  static readonly layer = (
    options: { readonly directory: Option.Option<string>; readonly run: Run; readonly rejected?: Rejected }
  ) =>
    Layer.effect(
      SettingsRef,
      Effect.gen(function*() {
        const ref = yield* SubscriptionRef.make(yield* load(options.directory))
        yield* touch([...settingsReloads.known, settingsRejected, settingsRestartRequired])
        if (Option.isSome(options.directory)) {
          const rejected = options.rejected ?? (() => Effect.void)
          yield* options.run("settings folder", follow(ref, options.directory.value, rejected))
        }
        return ref
      })
    )

  /** Settings that do not follow anything: for tests and one-shot commands. */
  static readonly layerOf = (settings: Settings): Layer.Layer<SettingsRef> =>
    Layer.effect(SettingsRef, SubscriptionRef.make(settings))
}
