// Runs `docker-credential-<name> get`: the server's name on its standard input, JSON on its standard output.
// Source: docker/docker-credential-helpers, client/command.go and credentials/credentials.go.
import { Data, Effect, Option, Schema, Stream } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { basic, type Credential, identityToken } from "./DockerConfig.ts"

/** The helper is missing, hangs, or says something that is no credential. Its output may be a secret and is not told. */
export class HelperError extends Data.TaggedError("HelperError")<{
  readonly helper: string
  readonly problem: string
}> {
  override get message() {
    return `docker-credential-${this.helper}: ${this.problem}`
  }
}

const decodeAnswer = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ Username: Schema.String, Secret: Schema.String }))
)
const notFound = /credentials not found/i
const mostOutput = 64 * 1024

/** Asks a helper for one server; none if it knows no credential for it. */
export const askHelper = Effect.fnUntraced(
  function*(
    helper: string,
    serverUrl: string
  ): Effect.fn.Return<Option.Option<Credential>, HelperError, ChildProcessSpawner.ChildProcessSpawner> {
    const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
    const fail = (problem: string) => new HelperError({ helper, problem })
    const [output, code] = yield* Effect.gen(function*() {
      const handle = yield* spawner.spawn(ChildProcess.make(`docker-credential-${helper}`, ["get"], {
        extendEnv: true,
        stdin: { stream: Stream.make(new TextEncoder().encode(serverUrl)) },
        stderr: "ignore"
      }))
      let size = 0
      const text = yield* handle.stdout.pipe(
        Stream.takeWhile((chunk) => (size += chunk.length) <= mostOutput),
        Stream.decodeText(),
        Stream.mkString
      )
      return [text, yield* handle.exitCode] as const
    }).pipe(
      Effect.scoped,
      Effect.mapError((error) => fail(error.reason._tag === "NotFound" ? "it is not installed" : error.reason._tag)),
      Effect.timeoutOrElse({ duration: "20 seconds", orElse: () => Effect.fail(fail("no answer in 20 s")) })
    )
    if (code !== 0) {
      return notFound.test(output) ? Option.none() : yield* fail(`it failed with exit code ${code}`)
    }
    const answer = decodeAnswer(output)
    if (Option.isNone(answer)) return yield* fail("its answer is not JSON with Username and Secret")
    const { Secret: secret, Username: username } = answer.value
    if (secret === "") return Option.none()
    return Option.some(username === "<token>" ? identityToken(secret) : basic(username, secret))
  }
)
