// SourceTags: what the tags of sources name at this moment, asked before a workload is pointed to the copy of one: a push a
// minute ago has made the copy another image. One HEAD an image, shared by all that ask within ten seconds.
// Who compares tags in the background asks anew, and asks no host that rests, or whose budget runs low.
// Edge: says what is; whether the copy is still right, and what is done if not, is the loops'.
import { Cache, Clock, Context, Duration, Effect, Layer, Option, Result } from "effect"
import type { Digest } from "../image/Digest.ts"
import { parse } from "../image/ImageReference.ts"
import { RegistryClient } from "../registry/RegistryClient.ts"

/** How old an answer may be when it is used. */
const oldest = Duration.seconds(10)
/** How long a source may take: whoever asks holds a place among the rollouts. */
const patience = Duration.seconds(4)
/** How long it may take in the background, where only one image waits for it. */
const longPatience = Duration.seconds(10)
/** Far more than a cluster rewrites within ten seconds. */
const mostTags = 10_000

interface Answer {
  readonly digest: Option.Option<Digest>
  readonly took: Duration.Duration
}

/** What a source says of a tag. */
export type SourceAnswer =
  | { readonly _tag: "Named"; readonly digest: Digest }
  /** It does not have the tag. */
  | { readonly _tag: "Gone" }
  /** It refused, gave no answer, or was not asked: it is left alone for so long at least. */
  | { readonly _tag: "None"; readonly rest: Duration.Duration; readonly why: string }

const noAnswer = (why: string, rest = Duration.zero): SourceAnswer => ({ _tag: "None", rest, why })

export class SourceTags extends Context.Service<SourceTags, {
  /**
   * What a source reference names now: of one with a digest whether it is there. None where it is not, and where its registry
   * cannot say so within seconds.
   */
  readonly named: (source: string) => Effect.Effect<Option.Option<Digest>>
  /** The same by a HEAD that is made now, if at all, for whoever can ask again later. */
  readonly compare: (source: string) => Effect.Effect<SourceAnswer>
}>()("image-cloner/clone/SourceTags") {
  static readonly layer: Layer.Layer<SourceTags, never, RegistryClient> = Layer.effect(
    SourceTags,
    Effect.gen(function*() {
      const registry = yield* RegistryClient
      const ask = Effect.fnUntraced(function*(source: string) {
        const reference = parse(source)
        if (Result.isFailure(reference)) return Option.none<Digest>()
        const { digest, registry: host, repository, tag = "latest" } = reference.success
        // a registry that gives nobody an answer is asked by one image at a time
        if ((yield* registry.silenceOf(host)) !== undefined) return Option.none<Digest>()
        return yield* registry.headManifest({ registry: host, repository }, digest ?? tag).pipe(
          Effect.map(Option.map((it) => it.digest)),
          Effect.timeoutOrElse({
            duration: patience,
            orElse: () => Effect.fail({ message: `no answer within ${Duration.format(patience)}` })
          }),
          // whatever the source answers, the copy of what it named before stays a backup
          Effect.catch((error) =>
            Effect.as(
              Effect.logInfo(
                `the source cannot be asked what its tag names; the copy stays as it is: ${error.message}`
              ),
              Option.none<Digest>()
            )
          ),
          Effect.annotateLogs({ image: source })
        )
      })
      const compare = Effect.fnUntraced(function*(source: string): Effect.fn.Return<SourceAnswer> {
        const reference = parse(source)
        if (Result.isFailure(reference)) return noAnswer(reference.failure.message)
        const { digest, registry: host, repository, tag = "latest" } = reference.success
        const rest = yield* registry.restOf(host)
        if (Duration.isGreaterThan(rest, Duration.zero)) return noAnswer(`${host} rests`, rest)
        // one that may be asked whether it answers again is asked
        const silence = (yield* registry.silenceOf(host)) ?? Duration.zero
        if (Duration.isGreaterThan(silence, Duration.zero)) return noAnswer(`${host} gives no answer`, silence)
        // a source that refuses every HEAD has not lost it: the GET of the last hour tells what it names
        return yield* registry.headManifest({ registry: host, repository }, digest ?? tag, true).pipe(
          Effect.map(Option.match({
            onNone: (): SourceAnswer => ({ _tag: "Gone" }),
            onSome: (head): SourceAnswer => ({ _tag: "Named", digest: head.digest })
          })),
          Effect.timeoutOrElse({
            duration: longPatience,
            orElse: () => Effect.succeed(noAnswer(`no answer within ${Duration.format(longPatience)}`))
          }),
          Effect.catch((error) => Effect.succeed(noAnswer(error.message, error.retryAfter)))
        )
      })
      const answers = yield* Cache.makeWith(
        Effect.fnUntraced(function*(source: string): Effect.fn.Return<Answer> {
          const started = yield* Clock.monotonicTimeNanos
          const digest = yield* ask(source)
          return { digest, took: Duration.nanos((yield* Clock.monotonicTimeNanos) - started) }
        }),
        {
          capacity: mostTags,
          // it was true when it was asked, not when the answer came
          timeToLive: (exit) => exit._tag === "Success" ? Duration.subtract(oldest, exit.value.took) : Duration.zero
        }
      )
      return SourceTags.of({
        named: (source) => Effect.map(Cache.get(answers, source), (it) => it.digest),
        compare
      })
    })
  )
}
