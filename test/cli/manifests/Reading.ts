// Manifests from texts, as `-f` would read them from files of these names.
import * as yaml from "yaml"
import { ManifestReading } from "../../../src/cli/manifests/ManifestReading.ts"
import { itemsOf, partsOf } from "../../../src/cli/manifests/ManifestText.ts"
import type { ExtraKind } from "../../../src/settings/Settings.ts"

/** @param files texts by the names of their files */
export const readTexts = (
  files: Readonly<Record<string, string>>,
  namespace?: string,
  extras: ReadonlyArray<ExtraKind> = []
) => {
  const reading = new ManifestReading(yaml, namespace, extras)
  for (const [name, text] of Object.entries(files)) {
    for (const part of partsOf(text).flatMap((it) => itemsOf(it) ?? [it])) {
      reading.take(name, part)
    }
  }
  return reading.end()
}

/** The workloads of one text that can be read. */
export const storeOf = (text: string) => readTexts({ "test.yaml": text }).store
