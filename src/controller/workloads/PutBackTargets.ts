// PutBackTargets: to which images a workload goes back: only to bytes that were seen at their source (invariant 3). To the
// original as it was written where its tag still means what ran, else to that digest where the source has it, else nowhere.
// For a rollout that does not come up and for whoever undoes everything. Edge: whether to go back is decided elsewhere.
import { Effect, Option, Result } from "effect"
import { SourceTags } from "../../clone/SourceTags.ts"
import { type Backup, keptBy } from "../../image/BackupName.ts"
import type { Digest } from "../../image/Digest.ts"
import { format, type ImageReference, parse } from "../../image/ImageReference.ts"
import { verifiedOriginals } from "../../workload/Originals.ts"
import { type Evidence, runningOf } from "../../workload/Running.ts"
import type { Workload } from "../../workload/Workload.ts"

/** What is known of a copy. */
export interface Copy {
  /** What a source may call it: its own digest and, of one that was converted, the original's. */
  readonly digests: ReadonlyArray<Digest>
  /** Digests of all its manifests and configs. */
  readonly contents: ReadonlySet<Digest>
}

interface Asked {
  /** The original in its canonical form. */
  readonly source: string
  /** The copy, as the template names it. */
  readonly present: ImageReference
  /** What the pods that count say that they run; empty where none tells. */
  readonly told: ReadonlyArray<Digest>
}

/** What is known of the copy that a template names; undefined where nothing is. */
export type CopyOf = (asked: Asked) => Effect.Effect<Copy | undefined>

interface Options {
  readonly target: Backup
  readonly copyOf: CopyOf
}

interface Given extends Omit<Evidence, "backup"> {
  readonly workload: Workload
}

/** Images by container; or which one cannot go back, and why, in words. */
type Targets = Result.Result<ReadonlyMap<string, string>, string>

/** Makes the function that tells to what all containers of a workload go back that we rewrote. */
export const make = ({ copyOf, target }: Options) =>
  Effect.map(SourceTags, (tags) => {
    /** What one container ran, as far as anybody can tell: by its pin, its pods, or its copy. */
    const ranBefore = Effect.fnUntraced(
      function*(container: string, original: ImageReference, present: ImageReference, given: Given) {
        const pin = present.digest ?? keptBy(present.tag)
        const running = runningOf(container, original, { backup: target, ...given })
        const images = running._tag === "Images" ? [...running.images] : []
        const told = pin === undefined ? images.map(([digest]) => digest) : [pin]
        const copy = yield* copyOf({ source: format(original), present, told })
        // runtimes name an index, one of its manifests or a config: what is of the copy is the copy
        if (copy !== undefined && told.every((it) => copy.digests.includes(it) || copy.contents.has(it))) {
          return Result.succeed(copy.digests)
        }
        if (told.length > 1) return Result.fail(`the pods of container ${container} run ${told.join(" and ")}`)
        // a registry cannot be asked for an image by the digest of its config
        return pin === undefined && images.some(([, of]) => of === "config")
          ? Result.fail(`the pods of container ${container} run the image with the id ${told.join()}, of no known copy`)
          : Result.succeed(told)
      }
    )

    const targetOf = Effect.fnUntraced(
      function*(container: string, original: string, present: ImageReference, given: Given) {
        const parsed = parse(original)
        if (Result.isFailure(parsed)) return Result.fail(parsed.failure.message)
        const source = parsed.success
        const unseen = `${original}, which container ${container} ran, was not seen at its source`
        const named = Option.getOrUndefined(yield* tags.named(format(source)))
        if (source.digest !== undefined) return named === undefined ? Result.fail(unseen) : Result.succeed(original)
        const ran = yield* ranBefore(container, source, present, given)
        if (Result.isFailure(ran)) return Result.fail(ran.failure)
        if (named !== undefined && ran.success.includes(named)) return Result.succeed(original)
        for (const digest of ran.success) {
          const pinned = format({ ...source, digest })
          if (Option.isSome(yield* tags.named(pinned))) return Result.succeed(pinned)
        }
        if (named === undefined) return Result.fail(unseen)
        return ran.success.length === 0
          ? Result.fail(`nothing tells what container ${container} ran as ${original}`)
          : Result.fail(
            `${original} is ${named} by now, and ${ran.success.join(" or ")}, which container ${container} `
              + "ran, was not seen at its source"
          )
      }
    )

    return Effect.fnUntraced(function*(given: Given): Effect.fn.Return<Targets> {
      const { workload } = given
      const targets = new Map<string, string>()
      for (const [container, original] of verifiedOriginals(workload, target)) {
        const present = parse(workload.images.find((it) => it.container === container)?.image ?? "")
        const to = Result.isFailure(present)
          ? Result.fail(present.failure.message)
          : yield* targetOf(container, original, present.success, given)
        if (Result.isFailure(to)) return Result.fail(to.failure)
        targets.set(container, to.success)
      }
      return Result.succeed(targets)
    })
  })
