// policy: prints a ValidatingAdmissionPolicy and its binding, for kubectl or Git. Changes nothing, and asks the cluster for the
// settings alone, where there are none here.
import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { policyObjects } from "../admission/Policy.ts"
import { kube } from "../App.ts"
import { backup } from "../settings/Settings.ts"
import { CommandFailed, failed } from "./Failure.ts"
import { root } from "./root.ts"
import { ownNamespace, settingsWithCluster } from "./Startup.ts"

const flags = {
  action: Flag.Literals("action", ["warn", "audit", "deny"]).pipe(
    Flag.withDescription("What becomes of pods with other images: a warning, a note in the audit log, or a refusal"),
    Flag.withDefault("warn")
  )
}

const header = (ignored: ReadonlyArray<string>): string =>
  [
    "Keeps images out that are not from the backup, whether the controller runs or not; takes Kubernetes 1.30.",
    "Made by `image-cloner policy` of the settings as they are now: make it anew when they change.",
    ...(ignored.length === 0
      ? []
      : [
        `IMAGES_TO_IGNORE (${
          ignored.join(",")
        }) is not in it: these images have no copies, and are not from the backup.`
      ])
  ].map((line) => `# ${line}\n`).join("")

export const policy = Command.make(
  "policy",
  flags,
  Effect.fnUntraced(
    function*({ action }) {
      const { config, context, kubeconfig } = yield* root
      const settings = yield* settingsWithCluster(config, kube({ context, kubeconfig }))
      const objects = policyObjects({ action, backup: backup(settings), settings, ownNamespace: yield* ownNamespace })
      // it is large, and no other command needs it at its start
      const { stringify } = yield* Effect.promise(() => import("yaml"))
      const documents = objects.map((it) => stringify(it, { lineWidth: 0, aliasDuplicateObjects: false }))
      yield* Console.log(`${header(settings.IMAGES_TO_IGNORE)}${documents.join("---\n").trimEnd()}`)
    },
    (effect) => Effect.mapError(effect, (error) => new CommandFailed({ text: error.message, code: failed }))
  )
).pipe(
  Command.withDescription("Print a policy that keeps images out which are not from the backup"),
  Command.withExamples([
    { command: "image-cloner policy | kubectl apply -f -", description: "Warn whoever makes pods with other images" },
    { command: "image-cloner policy --action deny", description: "Refuse them" }
  ])
)
