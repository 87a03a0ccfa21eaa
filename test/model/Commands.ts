// What happens to a model, step by step: what people, tools, registries and nodes do, and how the API server answers. Drawn at
// random, seeded, and shrunk to few and small ones where a run fails.
import { Schema } from "effect"

export const kinds = ["Deployment", "StatefulSet", "DaemonSet", "CronJob"] as const
export type Kind = (typeof kinds)[number]

/** Which of the workloads, or images; more than there are wraps around. */
const Which = Schema.Literals([0, 1, 2, 3, 4, 5])

export const Command = Schema.Union([
  Schema.Struct({ do: Schema.Literal("pass"), seconds: Schema.Literals([5, 20, 60, 300, 1200]) }),
  Schema.Struct({ do: Schema.Literal("release"), which: Which, tag: Schema.Literals(["1", "2", "3"]) }),
  Schema.Struct({ do: Schema.Literal("push"), which: Which, tag: Schema.Literals(["1", "2", "3"]) }),
  Schema.Struct({ do: Schema.Literal("vanish"), which: Which }),
  Schema.Struct({ do: Schema.Literal("source"), up: Schema.Boolean }),
  Schema.Struct({ do: Schema.Literal("backup"), up: Schema.Boolean }),
  Schema.Struct({ do: Schema.Literal("secrets"), refused: Schema.Boolean }),
  Schema.Struct({ do: Schema.Literal("lose"), which: Which }),
  Schema.Struct({ do: Schema.Literal("break"), which: Which, tag: Schema.Literals(["1", "2", "3"]) }),
  Schema.Struct({ do: Schema.Literal("node") }),
  Schema.Struct({ do: Schema.Literal("revert"), which: Which }),
  /** From now on, or until the next time, somebody puts the original back in each step. */
  Schema.Struct({ do: Schema.Literal("fight"), which: Which }),
  Schema.Struct({ do: Schema.Literal("undo"), which: Which }),
  Schema.Struct({ do: Schema.Literal("scale"), which: Which, replicas: Schema.Literals([0, 1, 2, 3]) }),
  Schema.Struct({ do: Schema.Literal("mark"), which: Which, as: Schema.Literals(["never", "patch", "none"]) }),
  Schema.Struct({ do: Schema.Literal("restart") }),
  /** What becomes of the next patch: it takes long, somebody makes another image of it, or its answer is lost. */
  Schema.Struct({ do: Schema.Literal("webhook"), next: Schema.Literals(["slow", "changes", "refuses", "loses"]) })
])
export type Command = typeof Command.Type

const Workloads = Schema.Array(Schema.Struct({
  kind: Schema.Literals(kinds),
  recreate: Schema.Boolean,
  image: Which,
  namespace: Schema.Literals(["shop", "bank"]),
  replicas: Schema.Literals([1, 2, 3])
})).check(Schema.isMinLength(1), Schema.isMaxLength(5))

export const Run = Schema.Struct({
  workloads: Workloads,
  limit: Schema.Literals([1, 2, 3]),
  byNodes: Schema.Boolean,
  steps: Schema.Array(Command).check(Schema.isMaxLength(80))
})
export type Run = typeof Run.Type

/** The commands as lines, for whoever reads a counterexample. */
export const lines = ({ byNodes, limit, steps, workloads }: Run): string =>
  [
    `limit ${limit}${byNodes ? ", pulled by nodes" : ""}`,
    ...workloads.map((it, index) =>
      `workload ${index}: ${
        it.recreate ? "recreated " : ""
      }${it.kind} in ${it.namespace} of image ${it.image}, ${it.replicas} replicas`
    ),
    ...steps.map((it) => Object.values(it).join(" "))
  ].join("\n")
