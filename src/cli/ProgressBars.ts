// Progress: bars on a terminal, nothing else anywhere else. Results are printed above the bars on standard output, the bars
// themselves on standard error, so that the output can be piped.
import type { MultiBar, SingleBar } from "cli-progress"
import { Console, Effect, Schedule } from "effect"
import { isatty } from "node:tty"
import type { CopyProgress } from "../clone/Progress.ts"
import { format } from "../image/ImageReference.ts"
import { shownBytes } from "../image/ShownBytes.ts"

/** File descriptor of standard error. */
const standardError = 2

/** Draws what is in flight now; bars of images that are done go. */
const draw = (bars: MultiBar, shown: Map<string, SingleBar>, progress: ReadonlyArray<CopyProgress>): void => {
  const names = new Set<string>()
  for (const { bytes: { done, total }, source } of progress) {
    const image = format(source)
    names.add(image)
    const bar = shown.get(image) ?? bars.create(Math.max(1, total), 0, { image, size: "" })
    shown.set(image, bar)
    bar.setTotal(Math.max(1, total))
    bar.update(done, { image, size: `${shownBytes(done)} of ${shownBytes(total)}` })
  }
  for (const [image, bar] of shown) {
    if (names.has(image)) continue
    bars.remove(bar)
    shown.delete(image)
  }
}

/**
 * Runs `work` with bars of what is in flight, where standard error is a terminal. `work` says its lines through the given
 * function.
 */
export const withProgress = Effect.fnUntraced(function*<A, E, R>(
  inFlight: Effect.Effect<ReadonlyArray<CopyProgress>>,
  work: (say: (line: string) => Effect.Effect<void>) => Effect.Effect<A, E, R>
): Effect.fn.Return<A, E, R> {
  if (!isatty(standardError)) return yield* work(Console.log)
  // loaded when there is somebody to look: the daemon never draws
  const { MultiBar } = yield* Effect.promise(() => import("cli-progress"))
  const bars = new MultiBar({
    format: "{bar} {percentage}% {size} {image}",
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false
  })
  const shown = new Map<string, SingleBar>()
  const tick = Effect.map(inFlight, (progress) => draw(bars, shown, progress)).pipe(
    Effect.repeat(Schedule.spaced("100 millis")),
    Effect.andThen(Effect.never)
  )
  return yield* Effect.raceFirst(work(Console.log), tick).pipe(Effect.ensuring(Effect.sync(() => bars.stop())))
})
