// Manifests from texts, as `-f` would read them from files of these names.
import * as js from "js-yaml"
import * as yaml from "yaml"
import { parsersOf } from "../../../src/cli/manifests/ManifestDocuments.ts"
import { ManifestReading } from "../../../src/cli/manifests/ManifestReading.ts"
import { itemsOf, partsOf } from "../../../src/cli/manifests/ManifestText.ts"
import type { ExtraKind } from "../../../src/settings/Settings.ts"

export const parsers = parsersOf(yaml, js)

/** @param files texts by the names of their files */
export const readTexts = (
  files: Readonly<Record<string, string>>,
  namespace?: string,
  extras: ReadonlyArray<ExtraKind> = []
) => {
  const reading = new ManifestReading(parsers, namespace, extras)
  for (const [name, text] of Object.entries(files)) {
    for (const part of partsOf(text).flatMap((it) => itemsOf(it) ?? [it])) {
      reading.take(name, part)
    }
  }
  return reading.end()
}

/** The workloads of one text that can be read. */
export const storeOf = (text: string) => readTexts({ "test.yaml": text }).store
