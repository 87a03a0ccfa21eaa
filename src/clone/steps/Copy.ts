// Copy, the third step: everything below an image's own manifest, and that manifest. One name of an image after the other, so that
// the second finds what the first has brought. Edge: the names it gets in the backup are put by Tag.ts.
import { Effect, Fiber, type Scope } from "effect"
import { isProtectionTag, protectionTag } from "../../image/BackupName.ts"
import { algorithmOf, type Digest } from "../../image/Digest.ts"
import type { CloneError } from "../CloneError.ts"
import { isSchema1 } from "../schema1/Schema1Copy.ts"
import { copyTree } from "../tree/CopyTree.ts"
import type { Fetched } from "../tree/FetchManifest.ts"
import { measure } from "../tree/Measure.ts"
import { copyConverted, lookAtConverted } from "./Convert.ts"
import { fetchAgain, fetchRoot, type Rooted } from "./Fetch.ts"
import type { Job } from "./Job.ts"
import { knownOf, look, lookAgain } from "./Look.ts"
import { type Resolved, sourceDigest } from "./Resolve.ts"
import { ReferrersSeen } from "./ReferrersSeen.ts"
import { isOf, remembered, type Untagged, walked } from "./Tag.ts"
import { withoutSource } from "./WithoutSource.ts"

/** Brings the image below a root over, with what refers to it, and tells which of its tags are missing. */
const copyRooted = Effect.fnUntraced(function*(
  job: Job,
  { digest: told, held, tag }: Resolved,
  root: Fetched
): Effect.fn.Return<Untagged, CloneError> {
  const { backupTag, environment: { mostBytes } } = job
  const referrers = new ReferrersSeen(job)
  const context = job.walk()
  const { manifest, present } = root
  const { digest } = manifest
  // what is there already is kept, however large
  const known = mostBytes === undefined || present ? undefined : yield* measure(context, root, mostBytes)
  // looked for while the blobs move, and there before any tag, or a policy could see the image unsigned
  const ofRoot = yield* Effect.forkChild(present ? Effect.void : referrers.bring(context, [digest], false))
  const before = (manifests: ReadonlyArray<Digest>) =>
    Effect.andThen(
      Fiber.join(ofRoot),
      referrers.bring(context, manifests.filter((it) => it !== digest), false)
    )
  const tally = yield* copyTree(
    {
      ...context,
      fresh: !present,
      root: { tag: protectionTag(digest), before },
      ...(known === undefined ? {} : { known })
    },
    root
  )
  // what the backup did not have, none of its tags named; equal digest, no PUT: registries with immutable tags refuse that
  const unprotected = (present || algorithmOf(digest) !== "sha256") &&
    !isOf(manifest, yield* backupTag(protectionTag(digest)))
  const missing = [
    ...(unprotected ? [protectionTag(digest)] : []),
    ...(tag === undefined || (held && digest === told) ? [] : [tag])
  ]
  if (present && missing.length > 0) yield* referrers.bring(context, tally.manifests, false)
  else if (present) yield* referrers.renew(digest, tally.manifests)
  referrers.note(digest)
  return walked(digest, tally, missing)
})

/** Everything there is to do for a name, but the tags. */
const complete = Effect.fnUntraced(function*(
  job: Job,
  resolved: Resolved,
  fetched: Fetched | undefined
): Effect.fn.Return<Untagged, CloneError> {
  const { digest, held, original, tag } = resolved
  const known = knownOf(job, resolved)
  if (known !== undefined) {
    if (original === undefined) yield* new ReferrersSeen(job).renew(digest, known.manifests)
    return remembered(digest, known, original)
  }
  if (original !== undefined) {
    const there = yield* lookAtConverted(job, digest, original, held ? undefined : tag)
    if (there !== undefined) return there
  }
  const root = fetched ?? (yield* fetchRoot(job, resolved))
  // a source may lie about its tag at first: what protects one digest must never name another
  if (tag !== undefined && isProtectionTag(tag) && protectionTag(root.manifest.digest) !== tag) {
    return yield* job.keptForAnother(tag, root.manifest.digest)
  }
  return yield* isSchema1(root.manifest) ? copyConverted(job, root.manifest, tag) : copyRooted(job, resolved, root)
})

export const copy = Effect.fnUntraced(
  function*(job: Job, { looked, root }: Rooted): Effect.fn.Return<Untagged, CloneError, Scope.Scope> {
    const { environment: { landings }, into } = job
    let latest = yield* lookAgain(job, looked)
    for (;;) {
      if (latest._tag === "Instead") return yield* withoutSource(job, latest.instead)
      const digest = sourceDigest(latest.resolved)
      const landing = yield* landings.enter(into.repository, digest)
      // the other name's copy may have taken long, and have put this name's tag
      latest = landings.isChanged(into.repository, digest, latest.at) ? yield* look(job) : yield* lookAgain(job, latest)
      if (latest._tag !== "Instead" && sourceDigest(latest.resolved) === digest) {
        if (latest === looked) return yield* complete(job, latest.resolved, root)
        const same = root !== undefined && looked._tag !== "Instead" &&
          looked.resolved.digest === latest.resolved.digest
        return yield* complete(job, latest.resolved, same ? yield* fetchAgain(job, root) : undefined)
      }
      // never two at once, or names could wait for each other
      yield* landing.leave
    }
  }
)
