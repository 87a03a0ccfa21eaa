// FrameStream: the frames of a watch's answer as a stream, each time all that have come since. A server sends every event by itself, so
// that of ten thousand each would else wake a fiber. Edge: who is slow makes the server wait, as a pipe would.
import { Cause, Effect, Stream } from "effect"
import type { Readable } from "node:stream"
import type { Frame, Framer } from "./Frames.ts"
import type { KubeError } from "../KubeError.ts"

/** Bytes that may have come while nobody took them: some reads of a socket. */
const mostWaiting = 64 * 1024

interface Problems {
  /** The connection has ended before the answer did, or was silent for too long. */
  readonly broken: (cause: unknown) => KubeError
  /** A frame is longer than any may be. */
  readonly tooLong: () => KubeError
}

type Batch = readonly [ReadonlyArray<Frame>]

type Taken = Effect.Effect<Batch, KubeError | Cause.Done>

class Feed {
  #frames: Array<Frame> = []
  #bytes = 0
  /** What comes after all frames. */
  #ending: Taken | undefined
  #taker: ((taken: Taken) => void) | undefined
  #turn: NodeJS.Immediate | undefined
  readonly #body: Readable
  readonly #framer: Framer
  readonly #problems: Problems
  constructor(body: Readable, framer: Framer, problems: Problems) {
    this.#body = body
    this.#framer = framer
    this.#problems = problems
    body.on("error", this.#failed).on("end", this.#ended).on("close", this.#closed).on("data", this.#data)
  }

  readonly #data = (chunk: Buffer): void => {
    if (this.#ending !== undefined) return
    const frames = this.#framer.push(chunk)
    if (frames === undefined) return this.#end(Effect.fail(this.#problems.tooLong()))
    for (const frame of frames) this.#frames.push(frame)
    this.#bytes += chunk.length
    // of a frame that is not whole yet there is nothing to take
    if (this.#bytes > mostWaiting && this.#frames.length > 0) this.#body.pause()
    this.#offer()
  }

  readonly #failed = (cause: unknown): void => this.#end(Effect.fail(this.#problems.broken(cause)))
  readonly #ended = (): void => this.#end(Cause.done())
  // without an error, and before its end
  readonly #closed = (): void => this.#failed(new Error("the connection was closed"))

  /** The first ending counts. */
  #end(ending: Taken): void {
    this.#ending ??= ending
    this.#offer()
  }

  /** Wakes whoever waits once all that has come with this has been read: never from within the parser of an answer. */
  #offer(): void {
    if (this.#taker === undefined || (this.#frames.length === 0 && this.#ending === undefined)) return
    this.#turn ??= setImmediate(() => {
      const taker = this.#taker
      this.#turn = undefined
      this.#taker = undefined
      taker?.(this.#take())
    })
  }

  #take(): Taken {
    if (this.#frames.length === 0) return this.#ending ?? this.pull
    const frames = this.#frames
    this.#frames = []
    this.#bytes = 0
    if (this.#body.isPaused()) this.#body.resume()
    return Effect.succeed([frames])
  }

  readonly pull: Taken = Effect.callback((resume) => {
    this.#taker = resume
    this.#offer()
    return Effect.sync(() => {
      this.#taker = undefined
    })
  })

  /** What comes yet is nobody's. */
  close(): void {
    clearImmediate(this.#turn)
    this.#taker = undefined
    this.#frames = []
    this.#body.off("data", this.#data).destroy()
  }
}

/** Ends with the answer; the connection is given up with the stream. */
export const frameStream = (
  body: Readable,
  framer: Framer,
  problems: Problems
): Stream.Stream<ReadonlyArray<Frame>, KubeError> =>
  Stream.unwrap(Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new Feed(body, framer, problems)),
      (feed) => Effect.sync(() => feed.close())
    ),
    (feed) => Stream.fromPull(Effect.succeed(feed.pull))
  ))
