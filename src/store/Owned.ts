// Owned: which keys name a uid as their controller's. Most owners have one object, as Deployments a ReplicaSet: a set for each of ten
// thousand is two megabytes. Edge: whether there is such an owner is not known here.
import { ByNamespace } from "./ByNamespace.ts"

const nobody: ReadonlyArray<string> = []

export class Owned {
  readonly #keys = new ByNamespace<string | Set<string>>()

  /** In the order of their coming. */
  of(namespace: string, uid: string): Iterable<string> {
    const keys = this.#keys.get(namespace, uid)
    return keys === undefined ? nobody : typeof keys === "string" ? [keys] : keys
  }

  hasAny(namespace: string, uid: string): boolean {
    return this.#keys.get(namespace, uid) !== undefined
  }

  add(namespace: string, uid: string, key: string): void {
    const keys = this.#keys.get(namespace, uid)
    if (keys === undefined || keys === key) this.#keys.set(namespace, uid, key)
    else if (typeof keys === "string") this.#keys.set(namespace, uid, new Set([keys, key]))
    else keys.add(key)
  }

  remove(namespace: string, uid: string, key: string): void {
    const keys = this.#keys.get(namespace, uid)
    if (keys === key) return this.#keys.delete(namespace, uid)
    if (keys === undefined || typeof keys === "string") return
    keys.delete(key)
    if (keys.size === 0) this.#keys.delete(namespace, uid)
  }
}
