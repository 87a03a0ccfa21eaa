// Folders of settings for tests: plain ones, and as the kubelet mounts a ConfigMap.
import { NodeFileSystem } from "@effect/platform-node"
import { ConfigProvider, Effect, FileSystem, Layer, Logger, Metric } from "effect"

export const environment = (variables: Record<string, string>) =>
  ConfigProvider.layer(ConfigProvider.fromEnvRecord(variables))

/** Files, no log, metrics of its own, an empty environment. */
export const platform = Layer.mergeAll(
  NodeFileSystem.layer,
  Layer.sync(Metric.MetricRegistry, () => new Map()),
  Logger.layer([]),
  environment({})
)

/** Puts a file for each key into a folder. */
export const write = Effect.fnUntraced(function*(directory: string, texts: Record<string, string>) {
  const fs = yield* FileSystem.FileSystem
  for (const [key, text] of Object.entries(texts)) yield* fs.writeFileString(`${directory}/${key}`, text)
})

/** A folder with a file for each key, as long as the scope lives. */
export const folder = Effect.fnUntraced(function*(texts: Record<string, string>) {
  const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
  yield* write(directory, texts)
  return directory
})

/** A folder as the kubelet makes it: links to `..data/<key>`, where `..data` is a link to a version. */
export const mounted = Effect.fnUntraced(function*(texts: Record<string, string>) {
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectoryScoped()
  let count = 0
  const publish = Effect.fnUntraced(function*(next: Record<string, string>) {
    const version = `..version-${++count}`
    yield* fs.makeDirectory(`${directory}/${version}`)
    yield* write(`${directory}/${version}`, next)
    yield* fs.symlink(version, `${directory}/..data_tmp`)
    yield* fs.rename(`${directory}/..data_tmp`, `${directory}/..data`)
  })
  yield* publish(texts)
  for (const key of Object.keys(texts)) yield* fs.symlink(`..data/${key}`, `${directory}/${key}`)
  return { directory, publish }
})
