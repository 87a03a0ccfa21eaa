// The scope that a challenge offers, where it is another than what we ask for: registries that are called by another name than they
// call themselves, and those with scopes of their own. Source: distribution docs/spec/auth/scope.md.
// Edge: it is tried where ours was refused, and only then (Attempt.ts); the token goes to that registry's request alone.
import type { Challenge } from "../auth/Challenge.ts"
import { parameterOf } from "../auth/Scheme.ts"

/** `repository:team/app:pull,push` as what it is about, and what is to be done there. */
const partsOf = (scope: string): readonly [resource: string, actions: ReadonlyArray<string>] => {
  const at = scope.lastIndexOf(":")
  return [scope.slice(0, Math.max(at, 0)), scope.slice(at + 1).split(",")]
}

/** The scopes of a challenge's text, which are blank separated. */
export const scopesIn = (offered: string): ReadonlyArray<string> => offered.split(/\s+/).filter((it) => it !== "")

const isCovered = (scope: string, asked: ReadonlyArray<string>): boolean => {
  const [resource, actions] = partsOf(scope)
  return asked.map(partsOf).some(([its, may]) => its === resource && actions.every((it) => may.includes(it)))
}

/** The text of the scope that a Bearer challenge offers beyond what is `asked`; undefined where that is nothing more. */
export const otherScope = (
  challenges: ReadonlyArray<Challenge>,
  asked: ReadonlyArray<string>
): string | undefined => {
  const challenge = challenges.find((it) => it.scheme === "bearer")
  const offered = challenge === undefined ? undefined : parameterOf(challenge, "scope")
  return offered === undefined || scopesIn(offered).every((it) => isCovered(it, asked)) ? undefined : offered
}
