// Where registries are: the URL that stands before `/v2/`, by how the settings say that they are spoken to.
import { type BoundedMap, makeBoundedMap } from "../collections/BoundedMap.ts"
import { includesHost, type RegistryOptions } from "./RegistrySettings.ts"

const endpoint = (options: RegistryOptions, registry: string): URL | undefined => {
  const host = registry === "docker.io" ? "registry-1.docker.io" : registry
  const text = `${includesHost(options.plainHttp, registry) ? "http" : "https"}://${host}`
  return URL.canParse(text) ? new URL(text) : undefined
}

/** For as long as the settings stay the same: every request asks. */
const known = new WeakMap<RegistryOptions, BoundedMap<string, URL>>()

/** The origin of a registry, canonical as references name it; undefined where its name is no host of a URL. */
export const endpointOf = (options: RegistryOptions, registry: string): URL | undefined => {
  const endpoints = known.get(options) ?? makeBoundedMap<string, URL>(4096)
  known.set(options, endpoints)
  const present = endpoints.get(registry)
  if (present !== undefined) return present
  const url = endpoint(options, registry)
  if (url !== undefined) endpoints.set(registry, url)
  return url
}
