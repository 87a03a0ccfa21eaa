// ExplainImage: what is known of a source image → its state, its copy, who uses it, and what happens next. Pure; decides nothing.
import { type Backup, backupOf, convertedBackupOf } from "../image/BackupName.ts"
import { format, type ImageReference } from "../image/ImageReference.ts"
import { type ImageState, imageWordOf } from "../image/ImageState.ts"
import { shellWord } from "./Commands.ts"
import { bounded, type Command, type ImageExplained, moment, mostListed } from "./Explanation.ts"
import { type Clocks, type KnownImage, told } from "./Known.ts"
import { nextOfImage } from "./NextSteps.ts"

const detailOf = (state: ImageState): string => {
  switch (state._tag) {
    case "Failed":
      return state.message
    case "Pending":
      return state.why ?? "it is not in the backup yet"
    case "BackedUp":
      if (state.moving !== undefined) return `its tag has moved to ${state.moving}, which is being copied`
      return state.behind === undefined
        ? "it is whole in the backup"
        : `the copy is whole, but its tag names ${state.behind} at the source by now, which could not be copied`
  }
}

const commandsFor = ({ source, state }: KnownImage): ReadonlyArray<Command> => {
  const name = shellWord(source)
  return state._tag === "BackedUp"
    ? [{ does: "look at every blob of it", command: `image-cloner verify ${name}` }]
    : [{ does: "copy it now, with your own logins", command: `image-cloner clone ${name}` }]
}

export interface About {
  readonly by: "controller" | "command"
  readonly clocks: Clocks
  readonly backup: Backup
  readonly reference: ImageReference
}

/** Everything about one image that people ask for. */
export const explainImage = (known: KnownImage, { backup, by, clocks, reference }: About): ImageExplained => {
  const { source, state, users } = known
  const converted = state._tag === "BackedUp" && state.original !== undefined
  return {
    _tag: "Image",
    by,
    source,
    state: imageWordOf(state),
    detail: bounded(detailOf(state)),
    copy: format(converted ? convertedBackupOf(backup, reference) : backupOf(backup, reference)),
    digest: state._tag === "BackedUp" ? state.digest : null,
    wholeAt: moment(told(clocks, state._tag === "BackedUp" ? state.verifiedAt : undefined)),
    triedAt: moment(told(clocks, state._tag === "Failed" ? state.triedAt : undefined)),
    next: nextOfImage(known, clocks),
    users: { count: users.length, some: users.toSorted().slice(0, mostListed).map(bounded) },
    commands: commandsFor(known)
  }
}
