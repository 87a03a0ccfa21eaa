// HeldMark: what we write on an object so that a restart remembers why it is left alone: `image-cloner.io/held`, a JSON text
// that people can read, and remove to have it tried again. Tenants can write it, too: it can only ever hold their own object.
import { Option, Schema } from "effect"

export const heldAnnotation = "image-cloner.io/held"

const Mark = Schema.Struct({
  reason: Schema.Literals(["quarantined", "contested"]),
  /** Why, for people. */
  detail: Schema.String,
  /** When it ends by itself, RFC 3339; never where it is absent. */
  until: Schema.optionalKey(Schema.String),
  /** How often in a row. */
  count: Schema.Int,
  /** By container, the image that it was put back to, by us or in a fight, and the copy that stood there. */
  images: Schema.Record(Schema.String, Schema.Tuple([Schema.String, Schema.String]))
})

export type HeldMark = typeof Mark.Type

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Mark))

/** The mark in an annotation's text; undefined where there is none, or none of ours. */
export const readHeld = (annotation: string | undefined): HeldMark | undefined =>
  annotation === undefined ? undefined : Option.getOrUndefined(decode(annotation))

export const writeHeld = (mark: HeldMark): string => JSON.stringify(mark)

/**
 * Whether a mark speaks of an image as it is now: it was put back to it, and the time has not passed; a fight is one over this very
 * copy. Nothing is decided from a mark that is not there.
 * @param copy what the image would be rewritten to
 * @param now milliseconds since the epoch
 */
export const isHeld = (
  mark: HeldMark,
  container: string,
  image: string,
  copy: string | undefined,
  now: number
): boolean => {
  const [stood, written] = mark.images[container] ?? []
  return stood === image && (mark.reason !== "contested" || written === copy) &&
    (mark.until === undefined || Date.parse(mark.until) > now)
}
