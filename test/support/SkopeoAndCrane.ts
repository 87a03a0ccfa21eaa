// What others say of an image in a registry: skopeo reads its manifest, crane its digest and every byte of its layers.
// Edge: whoever is not installed says nothing; tests make that visible by `judges`.
import { assert } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { run } from "./Command.ts"
import type { RealRegistry } from "./RealRegistry.ts"

const craneAt = [join(process.env["GOPATH"] ?? join(homedir(), "go"), "bin/crane"), "/usr/bin/crane"].find(existsSync)
const hasSkopeo = spawnSync("skopeo", ["--version"]).status === 0

/** By name: is it installed? */
export const judges = { skopeo: hasSkopeo, crane: craneAt !== undefined }

export interface Judged {
  readonly registry: RealRegistry
  /** `repository:tag` or `repository@digest`. */
  readonly name: string
  /** What must be behind the name; its bytes where they are known. */
  readonly root: { readonly digest: string; readonly bytes?: Uint8Array }
  /** `user:password`. */
  readonly login?: string
}

/** Fails unless all that are installed find the image whole, its layers as its config says. */
export const judge = Effect.fn("judge")(function*({ login, name, registry, root }: Judged) {
  const fs = yield* FileSystem.FileSystem
  const home = yield* fs.makeTempDirectoryScoped()
  const auths = login === undefined ? {} : { [registry.host]: { auth: Buffer.from(login).toString("base64") } }
  yield* fs.writeFileString(join(home, "config.json"), JSON.stringify({ auths }))
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    DOCKER_CONFIG: home,
    REGISTRY_AUTH_FILE: join(home, "config.json")
  }
  const says = Effect.fnUntraced(function*(command: string, ...args: ReadonlyArray<string>) {
    const { code, stderr, stdout } = yield* run(command, args, { env })
    assert.strictEqual(code, 0, `${command} ${args.join(" ")}: ${stderr}`)
    return stdout
  })
  const image = `${registry.host}/${name}`
  if (hasSkopeo) {
    const raw = yield* says("skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${image}`)
    if (root.bytes !== undefined) assert.strictEqual(raw, Buffer.from(root.bytes).toString(), image)
  }
  if (craneAt !== undefined) {
    assert.strictEqual((yield* says(craneAt, "digest", "--insecure", image)).trim(), root.digest)
    yield* says(craneAt, "validate", "--insecure", "--remote", image)
  }
}, Effect.scoped)
