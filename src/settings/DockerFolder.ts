// DockerFolder: where docker's config.json is looked for: DOCKER_CONFIG, else `.docker` in the home folder.
import { Config, Effect, Option, Path } from "effect"
import { ProcessSettings } from "./ProcessSettings.ts"

export const dockerFolder = Effect.gen(function*() {
  const path = yield* Path.Path
  const { dockerConfig } = yield* ProcessSettings
  if (Option.isSome(dockerConfig)) return dockerConfig
  const home = yield* Config.option(Config.NonEmptyString("HOME"))
  return Option.map(home, (it) => path.join(it, ".docker"))
})
