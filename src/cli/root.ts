// The root command, the flags that every command takes, before and after its name, and what several call alike.
import { Command, Flag } from "effect/cli"

export const root = Command.make("image-cloner").pipe(
  Command.withDescription(
    "Copies every public image a Kubernetes cluster runs to a registry you own, and makes the cluster run the copies."
  ),
  Command.withSharedFlags({
    config: Flag.Directory("config").pipe(
      Flag.withDescription("Folder with the settings, one file a key, as Kubernetes mounts a ConfigMap"),
      Flag.withMetavar("DIR"),
      Flag.optional
    ),
    kubeconfig: Flag.String("kubeconfig").pipe(
      Flag.withDescription("Kubeconfig file; default: the pod's ServiceAccount, else KUBECONFIG, else ~/.kube/config"),
      Flag.withMetavar("FILE"),
      Flag.optional
    ),
    context: Flag.String("context").pipe(
      Flag.withDescription("Context of the kubeconfig"),
      Flag.optional
    )
  })
)

/** How a command that prints line by line does so. */
export const outputFlag = (description = "How to print") =>
  Flag.Literals("output", ["text", "json"]).pipe(
    Flag.withAlias("o"),
    Flag.withDescription(description),
    Flag.withDefault("text")
  )
