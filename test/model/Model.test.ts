// Five thousand random steps of people, tools, registries and nodes, with the program in the midst of them. Each patch is judged
// as it comes; in the end everything is left in peace for hours, and an oracle says who has to run its copy.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { lines, Run } from "./Commands.ts"
import { judge } from "./Oracle.ts"
import { live } from "./Program.ts"
import { ModelCluster } from "./ModelCluster.ts"

/** More and other runs than those of every day: MODEL_RUNS=1000 MODEL_SEED=7 npm test -- test/model */
const runs = Number(process.env["MODEL_RUNS"] ?? 260)
const seed = process.env["MODEL_SEED"] ?? "1"

const total = { runs: 0, steps: 0, patches: 0, putBacks: 0, restarts: 0, marks: 0 }

const play = Effect.fnUntraced(function*(run: Run) {
  const { byNodes } = run
  const cluster = new ModelCluster(run)
  let left = [...run.steps]
  let ends: ReadonlyArray<string> = []
  while (left.length > 0) {
    const until = left.findIndex((step) => step.do === "restart")
    const now = until === -1 ? left : left.slice(0, until)
    left = until === -1 ? [] : left.slice(until + 1)
    const last = left.length === 0
    yield* live(cluster, byNodes, ({ pass, said }) =>
      Effect.gen(function*() {
        yield* pass(5, 5)
        for (const step of now) {
          cluster.take(step)
          yield* pass(step.do === "pass" ? step.seconds : 5, step.do === "pass" && step.seconds > 60 ? 30 : 5)
        }
        if (!last) return void cluster.judge.counts.restarts++
        cluster.take({ do: "source", up: true })
        cluster.take({ do: "backup", up: true })
        cluster.take({ do: "secrets", refused: false })
        // longer than anything rests, an hour at most, once nothing changes any more
        for (let quiet = 0, minutes = 0; quiet < 75 && minutes < 8 * 60; minutes += 5) {
          const before = cluster.summary()
          yield* pass(300, 60)
          quiet = cluster.summary() === before ? quiet + 5 : 0
        }
        ends = judge(cluster, byNodes, said)
      }))
  }
  total.runs++
  total.steps += run.steps.length
  for (const key of ["patches", "putBacks", "restarts", "marks"] as const) total[key] += cluster.judge.counts[key]
  const wrongs = [...cluster.judge.wrongs, ...ends]
  if (wrongs.length > 0) assert.fail([...wrongs, "after", lines(run)].join("\n"))
})

describe("a model of bad days", () => {
  it.effect.prop(
    "whatever happens, bytes stay, nobody is left behind, and all that can be is rewritten",
    [Run],
    Effect.fnUntraced(function*([run]) {
      yield* play(run)
    }),
    { arbitrary: { runs, seed, size: 80 }, timeout: 300_000 }
  )

  it("has taken as many steps as it should", () => {
    const { system, user } = process.cpuUsage()
    console.log(`model: ${JSON.stringify(total)}, ${((system + user) / 1e6).toFixed(0)} s of CPU`)
    assert.isAtLeast(total.steps, runs * 15)
  })
})
