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
  const { refused, store } = yield* Snapshot.fromCluster()
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

/** What may be hidden: nodes count as ready, and a namespace as without marks. */
const dispensable: ReadonlySet<string> = new Set(["nodes", "namespaces"])

/**
 * The cluster's, or those of some namespaces, for whoever changes something: what cannot be seen cannot be judged, and of what is
 * left there would be no proof.
 */
export const everyWorkload = Effect.fnUntraced(function*(namespaces: ReadonlyArray<string> | undefined) {
  const { refused, store } = yield* Snapshot.fromCluster(namespaces)
  const hidden = refused.filter((it) => !dispensable.has(it))
  if (hidden.length === 0) return store
  const where = namespaces === undefined ? "of the whole cluster" : `of ${namespaces.join(", ")}`
  const text =
    `the API server does not let us see the ${hidden.join(", ")} ${where}, so nobody can tell what runs there: `
    + "who asks needs the rights of the ClusterRole image-cloner-controller there, or names only namespaces that they may read"
  return yield* new CommandFailed({ text, code: failed })
})
