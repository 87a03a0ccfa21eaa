// Explanations for tests: a workload that runs nginx as the daemon knows it; each test says what is different.
import type { KnownWorkload } from "../../src/web/Known.ts"
import type { Facts } from "../../src/workload/Facts.ts"
import { plan } from "../../src/workload/Plan.ts"
import type { Standing } from "../../src/rewrite/Pacing.ts"
import type { Settings } from "../../src/settings/Settings.ts"
import { type Given, workload } from "../support/Objects.ts"
import { given, now, settled } from "../workload/Planned.ts"

export const nobody: Standing = {
  rollout: { _tag: "None" },
  line: undefined,
  holders: [],
  stuck: [],
  showing: undefined,
  proven: true,
  restsUntil: undefined
}

export interface About {
  readonly of?: Given
  readonly settings?: Partial<Settings>
  readonly facts?: Partial<Facts>
}

/** Noon of a day, while the clock that only goes on says something else. */
export const noon = Date.parse("2026-11-28T12:00:00Z")

export const known = ({ facts, of, settings }: About = {}, more: Partial<KnownWorkload> = {}): KnownWorkload => {
  const one = workload(of)
  const about = given(settings, { pods: settled(one), ...facts })
  const planned = plan(one, about)
  return {
    by: "controller",
    clocks: { now: noon, uptime: now },
    plan: planned,
    verdict: planned.verdict,
    since: now - 180_000,
    outlook: { busy: false, nextAt: undefined },
    image: (source) => {
      const state = about.state(source)
      return state && { source, state, outlook: { busy: false, nextAt: now + 60_000 }, users: [one.key] }
    },
    standing: nobody,
    pulls: "pods of namespace shop with pull secret backup",
    owners: about.owners,
    namespace: about.namespace,
    controllerNamespace: "image-cloner",
    ...more
  }
}
