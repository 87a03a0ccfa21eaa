// Adds entries for optional platform packages that the registry did not serve, so that `npm ci` finds the lock complete.
import fs from "node:fs"
const file = process.argv[2] ?? "package-lock.json"
const lock = JSON.parse(fs.readFileSync(file, "utf8"))
const oses = {
  darwin: "darwin",
  linux: "linux",
  win32: "win32",
  windows: "win32",
  android: "android",
  freebsd: "freebsd",
  openharmony: "openharmony"
}
const cpus = ["x64", "arm64", "arm", "ia32", "ppc64", "s390x", "riscv64", "loong64", "mips64el", "wasm32"]
let added = 0
for (const [at, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (!/^\d/.test(version)) {
      continue
    }
    const top = `node_modules/${name}`,
      nested = `${at}/node_modules/${name}`,
      beside = `${at.slice(0, at.lastIndexOf("node_modules/"))}node_modules/${name}`
    const seen = [nested, beside, top].map((it) => lock.packages[it]).find(Boolean)
    if (seen?.version === version) continue
    const parts = name.split("/").pop().split(/[-_]/)
    const os = oses[parts.find((it) => it in oses)], cpu = cpus.find((it) => parts.includes(it))
    if (!os && !cpu) {
      console.error("no platform in", name)
      continue
    }
    lock.packages[seen ? nested : top] = {
      version,
      ...(cpu && { cpu: [cpu] }),
      ...(entry.dev && { dev: true }),
      license: entry.license,
      optional: true,
      ...(os && { os: [os] })
    }
    added++
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => a < b ? -1 : a > b ? 1 : 0))
fs.writeFileSync(file, JSON.stringify(lock, null, 2) + "\n")
console.log("added", added)
