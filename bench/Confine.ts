// Confine: a command under a real memory limit, by a control group of its own: version 2, or 1 where that is what is mounted.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Command } from "./Measure.ts"

export interface Confined {
  readonly command: Command
  /** What limits it, for people. */
  readonly how: string
  /** MiB of memory that the group had at its highest, cached files included. */
  readonly most: () => number
  readonly end: () => void
}

const root = "/sys/fs/cgroup"

const forms = [
  { how: "cgroup v2", folder: root, shownBy: "cgroup.controllers", limit: "memory.max", most: "memory.peak" },
  {
    how: "cgroup v1",
    folder: join(root, "memory"),
    shownBy: "memory.limit_in_bytes",
    limit: "memory.limit_in_bytes",
    most: "memory.max_usage_in_bytes"
  }
]

/** @param limit in MiB */
export const confine = (command: Command, limit: number): Confined => {
  const form = forms.find((it) => existsSync(join(it.folder, it.shownBy)))
  if (form === undefined) throw new Error("this machine has no control groups to limit memory with")
  const group = join(form.folder, `image-cloner-bench-${process.pid}`)
  mkdirSync(group)
  writeFileSync(join(group, form.limit), String(limit * 2 ** 20))
  return {
    command: ["sh", "-c", "echo $$ > \"$0\" && exec \"$@\"", join(group, "cgroup.procs"), ...command],
    how: form.how,
    most: () => Number(readFileSync(join(group, form.most), "utf8")) / 2 ** 20,
    end: () => rmdirSync(group)
  }
}
