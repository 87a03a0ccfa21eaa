// What is in a layer's blob: read once from where it lies, hashed packed and unpacked, and never kept. What unpacks to
// absurd sizes is refused. Edge: gzip (of several members too) and plain tar, as docker ever pushed; the bytes are Download's.
import { Data, Effect, Result, type Scope } from "effect"
import { createHash } from "node:crypto"
import { createGunzip, type Gunzip } from "node:zlib"
import { algorithmOf, type Digest, hexOf } from "../../image/Digest.ts"
import type { OpenBlob } from "../../registry/api/Blobs.ts"
import type { Limits } from "../../registry/Limits.ts"
import { type RegistryError, registryError, type RegistryReason } from "../../registry/RegistryError.ts"
import { retrying, retrySchedule } from "../../registry/Retry.ts"
import { makeDownload } from "../blob/Download.ts"
import { standstill } from "../blob/Standstill.ts"
import type { LayerContent } from "./Schema1.ts"

/** The blob is what its digest says, and no layer that can be unpacked here. */
export class UnfitLayer extends Data.TaggedError("UnfitLayer")<{ readonly detail: string }> {}

/** Unpacked bytes that an image may still have; its layers share it. */
export interface Budget {
  left: number
}

/** Of all layers of an image together. */
export const mostUnpacked = 20 * 1024 ** 3
/** Beyond the first of these bytes, nothing honest is packed so well. */
const ratioFrom = 100 * 1024 ** 2
const mostRatio = 1000
const unpackedAtOnce = 256 * 1024

const magics: ReadonlyArray<readonly [name: string, bytes: Buffer]> = [
  ["gzip", Buffer.from([0x1f, 0x8b])],
  ["bzip2", Buffer.from("BZh")],
  ["xz", Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ["zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd])]
]
const longestMagic = 6
const zeros = Buffer.alloc(unpackedAtOnce)

const isZero = (chunk: Buffer): boolean => {
  for (let at = 0; at < chunk.length; at += zeros.length) {
    const part = chunk.subarray(at, at + zeros.length)
    if (!part.equals(zeros.subarray(0, part.length))) return false
  }
  return true
}

/** Takes a layer's packed bytes; what is wrong with them is told at the end, when their digest is known. */
class Unpacker {
  readonly #hash = createHash("sha256")
  readonly #budget: Budget
  readonly #drained: () => void
  #gunzip: Gunzip | undefined
  #head: Buffer | undefined = Buffer.alloc(0)
  #packed = 0
  #unpacked = 0
  #empty = true
  #problem: string | undefined
  #full = false
  #ended = false
  #told: (() => void) | undefined
  constructor(budget: Budget, drained: () => void) {
    this.#budget = budget
    this.#drained = drained
  }

  get isFull(): boolean {
    return this.#full
  }

  /** False: no more until `drained` is called. */
  write(chunk: Buffer): boolean {
    this.#packed += chunk.length
    if (this.#head === undefined) return this.#take(chunk)
    this.#head = Buffer.concat([this.#head, chunk])
    return this.#head.length < longestMagic || this.#begin()
  }

  /** Gives back what was taken of the budget. */
  undo(): void {
    this.#budget.left += this.#unpacked
    this.#unpacked = 0
  }

  /** The content, or what is wrong with it. */
  readonly end = Effect.callback<Result.Result<LayerContent, string>>((resume) => {
    if (this.#head !== undefined) this.#begin()
    this.#told = () =>
      resume(Effect.succeed(this.#problem === undefined ? Result.succeed(this.#content()) : Result.fail(this.#problem)))
    if (this.#gunzip === undefined || this.#ended || this.#problem !== undefined) this.#told()
    else this.#gunzip.end()
  })

  destroy(): void {
    this.#gunzip?.destroy()
  }

  #content(): LayerContent {
    return {
      size: this.#packed,
      diffId: `sha256:${this.#hash.digest("hex")}`,
      gzip: this.#gunzip !== undefined,
      empty: this.#empty
    }
  }

  #begin(): boolean {
    const head = this.#head ?? Buffer.alloc(0)
    this.#head = undefined
    const [packing] = magics.find(([, magic]) => head.subarray(0, magic.length).equals(magic)) ?? ["tar"]
    if (packing === "gzip") {
      this.#gunzip = createGunzip({ chunkSize: unpackedAtOnce })
        .on("data", (chunk: Buffer) => this.#unpack(chunk))
        .on("drain", () => this.#ready())
        // before the last byte where zeros follow, and then it takes no more
        .on("end", () => {
          this.#ended = true
          this.#ready()
          this.#told?.()
        })
        .on("error", (error) => this.#fail(`it cannot be unpacked (${error.message})`))
    } else if (packing !== "tar") this.#fail(`it is packed by ${packing}, and only gzip is unpacked`)
    return this.#take(head)
  }

  #take(chunk: Buffer): boolean {
    if (this.#problem !== undefined || this.#ended || chunk.length === 0) return true
    if (this.#gunzip === undefined) this.#unpack(chunk)
    else this.#full = !this.#gunzip.write(chunk)
    return !this.#full
  }

  #ready(): void {
    if (!this.#full) return
    this.#full = false
    this.#drained()
  }

  #unpack(chunk: Buffer): void {
    if (this.#problem !== undefined) return
    this.#unpacked += chunk.length
    this.#budget.left -= chunk.length
    if (this.#budget.left < 0) return this.#fail(`the image unpacks to more than ${mostUnpacked / 1024 ** 3} GiB`)
    if (this.#unpacked > ratioFrom && this.#unpacked > mostRatio * this.#packed) {
      return this.#fail(`it unpacks to more than ${mostRatio} times its size`)
    }
    this.#hash.update(chunk)
    this.#empty &&= isZero(chunk)
  }

  /** The rest of the blob is hashed, no more: whether it is the right blob is the first question. */
  #fail(problem: string): void {
    this.#problem ??= problem
    this.#gunzip?.destroy()
    this.#ready()
    this.#told?.()
  }
}

export interface ReadOptions {
  readonly limits: Limits
  readonly budget: Budget
  readonly digest: Digest
  /** Of the blob, in bytes. */
  readonly size: number
  /** For messages. */
  readonly target: string
  readonly open: (offset: number) => Effect.Effect<OpenBlob, RegistryError, Scope.Scope>
}

const readOnce = Effect.fnUntraced(
  function*({ budget, digest, limits, open, size, target }: ReadOptions) {
    const hash = createHash(algorithmOf(digest))
    const unpacker = new Unpacker(budget, () => download.resume())
    yield* Effect.addFinalizer(() => Effect.sync(() => unpacker.destroy()))
    const download = makeDownload({
      limits,
      first: yield* open(0),
      reopen: open,
      size,
      target,
      data: (chunk) => {
        hash.update(chunk)
        return unpacker.write(chunk)
      },
      blocked: () => unpacker.isFull
    })
    yield* download.run.pipe(
      Effect.mapError(({ error }) => error),
      Effect.andThen(Effect.suspend(() => {
        const actual = hash.digest("hex")
        if (actual === hexOf(digest)) return Effect.void
        const detail = `its bytes have the digest ${algorithmOf(digest)}:${actual}`
        return Effect.fail(registryError({ operation: "read blob", target, reason: "Corrupt", detail }))
      })),
      Effect.tapError(() => Effect.sync(() => unpacker.undo()))
    )
    return yield* unpacker.end
  },
  Effect.scoped
)

/** Reads and unpacks one layer. */
export const readLayer = (options: ReadOptions): Effect.Effect<LayerContent, RegistryError | UnfitLayer> =>
  Effect.suspend(() => {
    let corrupt = 0
    return readOnce(options).pipe(
      Effect.retry({
        schedule: retrySchedule(options.limits),
        // wrong bytes can be the network's fault once
        while: (error) => error.reason !== "Corrupt" || corrupt++ === 0
      }),
      Effect.flatMap((content) =>
        Result.isSuccess(content)
          ? Effect.succeed(content.success)
          : Effect.fail(new UnfitLayer({ detail: content.failure }))
      )
    )
  })

const countFailed = (target: string, reason: RegistryReason, detail: string) =>
  registryError({ operation: "count blob", target, reason, detail })

/** How many bytes a blob has, where nothing tells but the blob itself. */
export const countBytes = Effect.fnUntraced(
  function*(
    { limits, open, target }: Pick<ReadOptions, "limits" | "open" | "target">
  ): Effect.fn.Return<number, RegistryError, Scope.Scope> {
    const blob = yield* open(0)
    if (blob.size !== undefined) return blob.size
    let size = 0
    const read = Effect.callback<number, RegistryError>((resume) =>
      blob.start({
        data: (chunk) => {
          size += chunk.length
          return true
        },
        end: () => resume(Effect.succeed(size)),
        error: ({ detail, reason }) => resume(Effect.fail(countFailed(target, reason, detail)))
      })
    )
    const watch = Effect.andThen(
      standstill(limits, () => ({ bytes: size, rested: blob.rested() })),
      Effect.suspend(() => Effect.fail(countFailed(target, "Timeout", `stalled after ${size} bytes`)))
    )
    return yield* Effect.raceFirst(read, watch)
  },
  Effect.scoped,
  (counting, { limits }) => retrying(limits)(counting)
)
