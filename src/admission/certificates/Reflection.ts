// @peculiar/x509 wants the Reflect metadata API from whoever loads it; this much of it is what it uses.
const all = new WeakMap<object, Map<unknown, unknown>>()

const getOwnMetadata = (key: unknown, target: object): unknown => all.get(target)?.get(key)

const getMetadata = (key: unknown, target: object): unknown => {
  const parent: object | null = Object.getPrototypeOf(target)
  return all.get(target)?.has(key) === true || parent === null ? getOwnMetadata(key, target) : getMetadata(key, parent)
}

const defineMetadata = (key: unknown, value: unknown, target: object): void => {
  const own = all.get(target) ?? new Map<unknown, unknown>()
  own.set(key, value)
  all.set(target, own)
}

/** To be called before that library is loaded. */
export const provideReflection = (): void => {
  if (!("getMetadata" in Reflect)) Object.assign(Reflect, { defineMetadata, getMetadata, getOwnMetadata })
}
