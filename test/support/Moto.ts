// moto, where it is installed: AWS's APIs with their rules, ECR's and STS's among them, as one process at loopback; no registry. For
// what ECR takes of a new repository. MOTO names the moto_server of the Python environment that it is in.
import { programNamed, startAtLoopback } from "./LoopbackService.ts"

/** The program that serves it; undefined: it is not here. */
export const moto = programNamed("MOTO")

/** Runs until the scope ends; answers with the origin of all its services. */
export const startMoto = startAtLoopback({
  program: moto ?? "",
  args: ["-H", "127.0.0.1", "-p", "0"],
  env: { PYTHONUNBUFFERED: "1" },
  says: /Running on (http:\/\/127\.0\.0\.1:\d+)/
})
