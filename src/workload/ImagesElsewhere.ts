// ImagesElsewhere: the images that an object names which is none of our kinds: pod templates of custom resources (Argo Rollouts
// and Workflows, Knative, Tekton, Kruise, Volcano, OpenShift), wherever they keep them, and images that operators are given. Found
// by a walk for what looks like them, since nobody knows all kinds; told, and never touched. Pure.
import { Result } from "effect"
import { parse } from "../image/ImageReference.ts"
import { isBuiltIn } from "./KnownOwners.ts"

export interface ImageElsewhere {
  /** From the object's root. */
  readonly path: ReadonlyArray<string | number>
  /** Name of the container, where one is there. */
  readonly container: string
  readonly image: string
}

/** Kinds of Kubernetes itself that hold other objects, or what has been, and not what runs. */
const holders = new Set([
  "APIService",
  "ConfigMap",
  "ControllerRevision",
  "CustomResourceDefinition",
  "Event",
  "Node",
  "Secret"
])

/** What the server writes, and what it keeps for others. */
const notWanted = new Set(["metadata", "status"])

/** Fields whose objects are containers, whatever their image is called: Tekton has steps, Argo Workflows container and script. */
const ofContainers = /^(?:.*[cC]ontainers?|steps|stepTemplate|sidecars|script)$/

/** Pictures for people, and disks. */
const otherFiles = /\.(?:gif|ico|img|iso|jpe?g|png|qcow2|raw|svg|webp)$/i

/** Deeper than any object; JSON may be as deep as it likes. */
const deepest = 500

const isImage = (text: string): boolean =>
  !text.includes("://") && !otherFiles.test(text) && Result.isSuccess(parse(text))

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : ""

/** An image in parts, as values of charts have it: registry, repository, tag, digest. */
const joined = (of: object): string => {
  const part = (name: string) => textOf(Reflect.get(of, name))
  const repository = part("repository")
  if (repository === "") return part("reference")
  const registry = part("registry")
  const digest = part("digest") || part("sha256")
  return `${registry === "" ? "" : `${registry}/`}${repository}${part("tag") === "" ? "" : `:${part("tag")}`}`
    + (digest.startsWith("sha256:") ? `@${digest}` : "")
}

const isMap = (value: unknown): value is object => typeof value === "object" && value !== null && !Array.isArray(value)

/** The image in a field, undefined where it holds none. */
const imageIn = (key: string, value: unknown, inContainer: boolean): string | undefined => {
  if (!/image$/i.test(key)) return undefined
  const text = isMap(value) ? joined(value) : textOf(value)
  if (text === "") return undefined
  if (inContainer && key === "image") return text
  // other fields may be called an image for many reasons: a reference has a registry, a tag or a digest
  return isImage(text) && (key === "image" || /[/:@]/.test(text)) ? text : undefined
}

/** Whether an object may have images that are none of a workload's. */
const mayHaveImages = (apiVersion: string, kind: string): boolean => !(isBuiltIn(apiVersion) && holders.has(kind))

/** The images that an object names, in the order of its fields. */
export const imagesElsewhere = (apiVersion: string, kind: string, object: unknown): ReadonlyArray<ImageElsewhere> => {
  const found: Array<ImageElsewhere> = []
  const visit = (value: unknown, path: ReadonlyArray<string | number>, inContainer: boolean): void => {
    if (path.length > deepest || typeof value !== "object" || value === null) return
    if (Array.isArray(value)) {
      return value.forEach((it: unknown, index) => visit(it, [...path, index], inContainer))
    }
    for (const [key, below] of Object.entries(value)) {
      if (path.length === 0 && notWanted.has(key)) continue
      const image = imageIn(key, below, inContainer)
      if (image === undefined) visit(below, [...path, key], ofContainers.test(key))
      else found.push({ path: [...path, key], container: textOf(Reflect.get(value, "name")), image })
    }
  }
  if (mayHaveImages(apiVersion, kind)) visit(object, [], false)
  return found
}
