// Plans for tests: a workload that runs nginx, its copy, and what is known of both; each test says what is different.
import { type Settings, settingsOf } from "../../src/settings/Settings.ts"
import type { ImageState } from "../../src/image/ImageState.ts"
import type { Facts } from "../../src/workload/Facts.ts"
import { plan } from "../../src/workload/Plan.ts"
import type { Workload } from "../../src/workload/Workload.ts"
import { digestOf, facts, type Given, pod, workload } from "../support/Objects.ts"

export const a = digestOf("a")
export const b = digestOf("b")
export const nginx = "docker.io/library/nginx:1.27"
export const copy = "backup.example/copies/docker.io/library/nginx:1.27"
export const now = 1_000_000_000

export const backedUp = (digest = a, given: Partial<Extract<ImageState, { _tag: "BackedUp" }>> = {}): ImageState => ({
  _tag: "BackedUp",
  digest,
  contents: new Set([digest]),
  verifiedAt: now,
  ...given
})

export const failed = (reason: Extract<ImageState, { _tag: "Failed" }>["reason"]): ImageState => ({
  _tag: "Failed",
  reason,
  message: "said the registry",
  retryAt: now
})

export const states = (entries: Record<string, ImageState>) => (source: string) => entries[source]

export const given = (settings: Partial<Settings> = {}, more: Partial<Facts> = {}) =>
  facts(settingsOf("backup.example/copies", settings), { state: states({ [nginx]: backedUp() }), now, ...more })

export const settled = (owner: Workload, digest: string | undefined = a) => [pod({ owner, digest })]

/** The verdict in one word: its reason, or its tag. */
export const verdict = (of: Workload, about: Facts) => {
  const { verdict: it } = plan(of, about)
  return "reason" in it ? it.reason : it._tag
}

/** The verdict of a settled Deployment of nginx:1.27 that differs in one respect. */
export const deployed = (how: Given, settings: Partial<Settings> = {}, more: Partial<Facts> = {}) => {
  const it = workload(how)
  return verdict(it, given(settings, { pods: settled(it), ...more }))
}
