// ManifestFlags: the flags of every command that reads manifests, called as kubectl calls them.
import { Option } from "effect"
import { Flag } from "effect/cli"
import type { ManifestOptions } from "./ReadManifests.ts"

/** @param what the command does with them, as the beginning of the description */
export const manifestFlags = (what: string) => ({
  files: Flag.String("filename").pipe(
    Flag.withAlias("f"),
    Flag.withMetavar("FILE"),
    Flag.withDescription(
      `${what}: files, folders or globs, with commas or several times; - reads standard input`
    ),
    Flag.atLeast(0)
  ),
  recursive: Flag.Boolean("recursive").pipe(
    Flag.withAlias("R"),
    Flag.withDescription("Read the folders below those of -f, too"),
    Flag.withDefault(false)
  ),
  namespace: Flag.String("namespace").pipe(
    Flag.withAlias("n"),
    Flag.withMetavar("NAME"),
    Flag.withDescription(
      "With -f, where objects go that name no namespace (default); without, the only namespace looked at"
    ),
    Flag.optional
  )
})

/** What the flags ask for. */
export const manifestOptions = (flags: {
  readonly files: ReadonlyArray<string>
  readonly recursive: boolean
  readonly namespace: Option.Option<string>
}): ManifestOptions => ({
  files: flags.files,
  recursive: flags.recursive,
  namespace: Option.getOrUndefined(flags.namespace)
})
