// DockerFolder: where docker's config.json is looked for: DOCKER_CONFIG, else `.docker` in the home folder. Apart from the other
// settings of the process, so that a wrong one of those does not hide a broken config.json.
import { Config, Effect, Option, Path } from "effect"

export const dockerFolder = Effect.gen(function*() {
  const path = yield* Path.Path
  const named = yield* Config.option(Config.NonEmptyString("DOCKER_CONFIG"))
  if (Option.isSome(named)) return named
  const home = yield* Config.option(Config.NonEmptyString("HOME"))
  return Option.map(home, (it) => path.join(it, ".docker"))
})
