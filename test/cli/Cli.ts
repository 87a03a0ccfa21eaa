// The bundled program as people start it: with an environment of nothing but what the test gives.
import { Effect, FileSystem, Path } from "effect"
import { fileURLToPath } from "node:url"
import { type Ended, type Given, run } from "../support/Command.ts"

export const program = fileURLToPath(new URL("../../dist/main.mjs", import.meta.url))

/** Runs `image-cloner` with these arguments in an empty home folder. */
export const cli = (
  args: ReadonlyArray<string>,
  given: Partial<Given> & { readonly node?: ReadonlyArray<string> } = {}
) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const home = yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-home-" })
    const { env, node = [], ...rest } = given
    const it: Ended = yield* run(process.execPath, [...node, program, ...args], {
      ...rest,
      env: { HOME: home, ...env }
    })
    return it
  }).pipe(Effect.scoped)

/** A folder with these files; gone with the scope. */
export const folder = Effect.fnUntraced(function*(files: Readonly<Record<string, string>>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = yield* fs.makeTempDirectoryScoped({ prefix: "image-cloner-cli-" })
  for (const [name, text] of Object.entries(files)) yield* fs.writeFileString(path.join(directory, name), text)
  return directory
})

/** A kubeconfig for a server that asks for nothing. */
export const kubeconfig = (server: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server } }],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x"
  })
