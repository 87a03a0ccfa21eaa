// RestoredMark: what whoever undoes rewrites leaves on an object, and how that is taken away again. `image-cloner.io/rewrite:
// never` keeps the controller from rewriting it anew; `image-cloner.io/restored` beside it says that this word is ours, and
// what stood there before. Where a person had written `never` there is nothing to write, and later nothing to take away.
import { Option, Schema } from "effect"
import { heldAnnotation } from "./HeldMark.ts"
import { rewriteAnnotation } from "./Marks.ts"
import type { Workload } from "./Workload.ts"

export const restoredAnnotation = "image-cloner.io/restored"

const Mark = Schema.Struct({
  /** What the annotation image-cloner.io/rewrite was, word for word; null where it was not there. */
  rewrite: Schema.NullOr(Schema.String)
})

type RestoredMark = typeof Mark.Type

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Mark))

/** The mark in an annotation's text; undefined where there is none, or none of ours. */
export const readRestored = (annotation: string | undefined): RestoredMark | undefined =>
  annotation === undefined ? undefined : Option.getOrUndefined(decode(annotation))

/** Annotations by name; undefined takes one away. */
export type Texts = Readonly<Record<string, string | undefined>>

/** What is written on an object whose originals are put back for good. A label that says never is as good. */
export const restoreMarks = ({ marks, written }: Workload): Texts =>
  marks.rewrite === "never" ? {} : {
    [rewriteAnnotation]: "never",
    [restoredAnnotation]: JSON.stringify({ rewrite: written[rewriteAnnotation] ?? null } satisfies RestoredMark)
  }

/** Takes from an object what is ours; a word that somebody has changed since stays. */
export const undoneMarks = ({ held, written }: Workload): Texts => {
  const restored = readRestored(written[restoredAnnotation])
  return {
    ...(held === undefined ? {} : { [heldAnnotation]: undefined }),
    ...(restored === undefined ? {} : { [restoredAnnotation]: undefined }),
    ...(restored !== undefined && written[rewriteAnnotation] === "never"
      ? { [rewriteAnnotation]: restored.rewrite ?? undefined }
      : {})
  }
}
