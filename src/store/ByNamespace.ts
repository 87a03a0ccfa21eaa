// ByNamespace: what is kept under a namespace and a name, or uid, in it. Two levels, because a joined key for each of a hundred
// thousand objects is ten megabytes of text.
export class ByNamespace<V> {
  readonly #namespaces = new Map<string, Map<string, V>>()

  get(namespace: string, name: string): V | undefined {
    return this.#namespaces.get(namespace)?.get(name)
  }

  set(namespace: string, name: string, value: V): void {
    const names = this.#namespaces.get(namespace)
    if (names === undefined) this.#namespaces.set(namespace, new Map([[name, value]]))
    else names.set(name, value)
  }

  delete(namespace: string, name: string): void {
    const names = this.#namespaces.get(namespace)
    names?.delete(name)
    if (names?.size === 0) this.#namespaces.delete(namespace)
  }
}
