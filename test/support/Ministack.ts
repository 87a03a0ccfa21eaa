// ministack, where it is installed: ECR with its API and its registry, STS and more, as one process at loopback. For what a fake
// of AWS could only guess. MINISTACK names the hypercorn of the Python environment that it is in.
import { programNamed, startAtLoopback } from "./LoopbackService.ts"

/** The program that serves it; undefined: it is not here. */
export const ministack = programNamed("MINISTACK")

/** Runs until the scope ends; answers with `host:port` of all its services. */
export const startMinistack = startAtLoopback({
  program: ministack ?? "",
  args: ["--bind", "127.0.0.1:0", "ministack.app:app"],
  env: { MINISTACK_HOST: "127.0.0.1" },
  says: /Running on http:\/\/(127\.0\.0\.1:\d+)/
})
