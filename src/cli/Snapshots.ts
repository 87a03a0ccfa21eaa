// Snapshots: the workloads that a command looks at: those of a cluster, or of manifests.
import { Console, Effect, FileSystem, Stdio, Stream } from "effect"
import * as Snapshot from "../controller/Snapshot.ts"
import { resources } from "../controller/Watches.ts"
import { CommandFailed, failed } from "./Failure.ts"

const readAll = Effect.fnUntraced(function*(file: string) {
  if (file !== "-") {
    return yield* FileSystem.FileSystem.use((fs) => fs.readFileString(file)).pipe(
      Effect.mapError(({ reason }) => {
        const why = reason._tag === "NotFound" ? "there is no such file" : reason._tag
        return new CommandFailed({ text: `${file} cannot be read: ${why}`, code: failed })
      })
    )
  }
  return yield* Stdio.Stdio.use((it) => it.stdin.pipe(Stream.decodeText(), Stream.mkString))
})

/** The manifests of all files together, as one store. */
export const workloadsOfFiles = Effect.fnUntraced(function*(files: ReadonlyArray<string>) {
  const texts = yield* Effect.forEach(files, readAll)
  return yield* Snapshot.fromManifests(files.join(", "), texts.join("\n---\n"))
})

/** The cluster's, as far as it lets us see them; what it hides is named on standard error. */
export const workloadsOfCluster = Effect.gen(function*() {
  const { refused, store } = yield* Snapshot.fromCluster
  if (refused.length === resources.filter((it) => !it.optional).length) {
    const text = "the API server lets us see no workloads at all: "
      + "who asks needs the rights of the ClusterRole image-cloner-controller, or view on the whole cluster"
    return yield* new CommandFailed({ text, code: failed })
  }
  if (refused.length > 0) {
    yield* Console.error(`The API server does not let us see ${refused.join(", ")}; they are left out.`)
  }
  return store
})
