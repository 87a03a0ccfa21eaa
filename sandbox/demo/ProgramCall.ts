// ProgramCall: a command of the program as a person types it in a shell next to the demo; gives back what it prints.
// Its settings come from the ConfigMap in the cluster, its logins from the demo's folder, nothing from the caller's environment.
import { Effect } from "effect"
import { ChildProcess, ChildProcessSpawner } from "effect/process"

export interface ProgramShell {
  readonly node: string
  readonly program: string
  readonly kubeconfigFile: string
  /** The folder of a config.json. */
  readonly docker: string
}

/** Standard output and errors together, without the last line's end. The exit code is not looked at: the text says it. */
export const call = Effect.fnUntraced(function*(shell: ProgramShell, words: ReadonlyArray<string>) {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const command = ChildProcess.make(shell.node, [shell.program, ...words], {
    env: { KUBECONFIG: shell.kubeconfigFile, DOCKER_CONFIG: shell.docker, COLUMNS: "80" },
    extendEnv: false
  })
  return (yield* spawner.string(command, { includeStderr: true })).trimEnd()
})
