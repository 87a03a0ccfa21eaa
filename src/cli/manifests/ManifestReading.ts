// ManifestReading: what the documents of manifests come to: a store of workloads as if they were applied, and what is to be said of
// those that cannot be read. Whatever is wrong with one object is said with its file, line, kind, name and field, and the others
// go on. Edge: the cluster's own defaults and webhooks are not known here.
import { Result } from "effect"
import { isDeepStrictEqual } from "node:util"
import { Workloads } from "../../store/WorkloadStore.ts"
import { imagesElsewhere } from "../../workload/ImagesElsewhere.ts"
import type { ExtraKind } from "../../settings/Settings.ts"
import { type Kind, kindOf, workloadKindOf } from "../../workload/Kinds.ts"
import { extraKindNamed, projectObject } from "../../workload/ProjectExtra.ts"
import { projectPod } from "../../workload/ProjectPod.ts"
import { projectNamespace } from "../../workload/ProjectSurroundings.ts"
import { fieldPath, unreadFields } from "../../workload/UnreadFields.ts"
import type { Pod, Workload } from "../../workload/Workload.ts"
import { documentsOf, type Parsers } from "./ManifestDocuments.ts"
import { eachObject, fieldsOf, type ManifestObject, type NoObject } from "./ManifestObjects.ts"
import type { TextPart } from "./ManifestText.ts"

/** Something to be said of an object in a file. */
export interface ManifestRemark {
  readonly file: string
  readonly line: number
  /** `Kind name` or `Kind namespace/name`; empty where it cannot be told. */
  readonly object: string
  /** As `spec.replicas`; empty where it is about all of it. */
  readonly field: string
  readonly text: string
}

/** An image in an object that is no workload. */
export interface ManifestElsewhere {
  readonly file: string
  readonly line: number
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** As `spec.template.spec.containers[0].image`. */
  readonly path: string
  readonly container: string
  readonly image: string
}

export interface Manifests {
  readonly store: Workloads
  readonly elsewhere: ReadonlyArray<ManifestElsewhere>
  /** How many objects were read, whatever kinds they are of. */
  readonly objects: number
  /** What could not be read: nothing is said of its images. */
  readonly problems: ReadonlyArray<ManifestRemark>
  readonly warnings: ReadonlyArray<ManifestRemark>
}

/** A remark on one line. */
export const remarkLine = ({ field, file, line, object, text }: ManifestRemark): string =>
  [`${file}:${line}`, object, field, text].filter((it) => it !== "").join(": ")

/** A workload without its pods is as one that was just applied: they run what it says, and none is known to be missing. */
const withoutPods = (store: Workloads): void => {
  for (const workload of store.all) {
    if (workload.rollout === undefined || store.podsOf(workload).length > 0) continue
    const rollout = { ...workload.rollout, current: 0, updated: 0, available: 0, failure: undefined }
    store.putWorkload({ ...workload, rollout })
  }
}

const isKustomization = (file: string, it: NoObject): boolean =>
  /(^|[/\\])kustomization(\.ya?ml)?$/i.test(file) && it.fields !== undefined && !("kind" in it.fields)

const kustomize = "it is for kustomize; plan what that makes of it: kubectl kustomize FOLDER | image-cloner plan -f -"

/** Reads manifests part by part. One that is in use belongs to one command. */
export class ManifestReading {
  readonly #store = new Workloads()
  readonly #problems: Array<ManifestRemark> = []
  readonly #warnings: Array<ManifestRemark> = []
  readonly #elsewhere: Array<ManifestElsewhere> = []
  /** By key, where it was read. */
  readonly #seen = new Map<string, { readonly at: string; readonly as: Workload | Pod }>()
  readonly #parsers: Parsers
  readonly #namespace: string | undefined
  readonly #extras: ReadonlyArray<ExtraKind>
  #objects = 0

  /**
   * @param namespace of objects that have none of their own; undefined: `default`
   * @param extras EXTRA_KINDS
   */
  constructor(parsers: Parsers, namespace: string | undefined, extras: ReadonlyArray<ExtraKind>) {
    this.#parsers = parsers
    this.#namespace = namespace
    this.#extras = extras
  }

  take(file: string, part: TextPart): void {
    const { documents, problems, warnings } = documentsOf(this.#parsers, part)
    for (const { line, text } of problems) {
      const said = `it cannot be read as Kubernetes manifests: ${text}`
      this.#problems.push({ file, line, object: "", field: "", text: said })
    }
    this.#warnings.push(...warnings.map((it) => ({ file, object: "", field: "", ...it })))
    for (const document of documents) {
      const taken = Result.try({
        try: () => eachObject(document, (it) => this.#takeObject(file, it)),
        // JSON may be as deep as it likes, and what looks at objects goes down with them
        catch: (error) => error instanceof RangeError ? "it is nested too deep" : String(error)
      })
      if (Result.isSuccess(taken)) continue
      this.#problems.push({ file, line: document.lineOf([]), object: "", field: "", text: taken.failure })
    }
  }

  /** What was read; nothing may be taken afterwards. */
  end(): Manifests {
    withoutPods(this.#store)
    return {
      store: this.#store,
      elsewhere: this.#elsewhere,
      objects: this.#objects,
      problems: this.#problems,
      warnings: this.#warnings
    }
  }

  #takeObject(file: string, it: ManifestObject | NoObject): void {
    if ("problem" in it) {
      const remark = { file, line: it.line, object: "", field: "" }
      if (isKustomization(file, it)) this.#warnings.push({ ...remark, text: kustomize })
      else this.#problems.push({ ...remark, text: it.problem })
      return
    }
    this.#objects++
    const kind = it.apiVersion === "v1" && it.kind === "Namespace" ? it.kind : this.#kindOf(it)
    if (kind === undefined) return this.#lookElsewhere(file, it)
    if (kind !== "Namespace" && kind.extra !== undefined) this.#lookElsewhere(file, it, kind.extra.podSpec)
    const say = (to: Array<ManifestRemark>, text: string, path: ReadonlyArray<PropertyKey> = []): void => {
      const name = it.namespace === undefined ? it.name : `${it.namespace}/${it.name}`
      to.push({ file, line: it.lineOf(path), object: `${it.kind} ${name}`.trim(), field: fieldPath(path), text })
    }
    if (it.name === "") return say(this.#problems, "it has no name", ["metadata"])
    const isRead = kind === "Namespace"
      ? this.#takeNamespace(it.object)
      : this.#takeWorkload(kind, it, (text) => say(this.#warnings, text), `${file}:${it.from}`)
    if (isRead) return
    for (const { path, problem } of unreadFields(kind, it.object)) say(this.#problems, problem, path)
  }

  #kindOf({ apiVersion, kind }: ManifestObject): Kind | undefined {
    const builtIn = workloadKindOf(apiVersion, kind)
    return builtIn === undefined ? extraKindNamed(this.#extras, apiVersion, kind) : kindOf(builtIn)
  }

  /** @param podSpec where the images of a workload are */
  #lookElsewhere(
    file: string,
    { apiVersion, kind, lineOf, name, namespace, object }: ManifestObject,
    podSpec?: ReadonlyArray<string>
  ): void {
    const of = { file, apiVersion, kind, namespace: namespace ?? this.#namespace ?? "default", name }
    for (const { container, image, path } of imagesElsewhere(apiVersion, kind, object)) {
      if (podSpec?.every((it, index) => path[index] === it)) continue
      this.#elsewhere.push({ ...of, line: lineOf(path), path: fieldPath(path), container, image })
    }
  }

  #takeNamespace(object: unknown): boolean {
    const namespace = projectNamespace(object)
    if (namespace !== undefined) this.#store.putNamespace(namespace)
    return namespace !== undefined
  }

  /** @returns whether it could be read */
  #takeWorkload(kind: Kind, it: ManifestObject, warn: (text: string) => void, at: string): boolean {
    const { apiVersion, name, namespace = this.#namespace ?? "default" } = it
    const object = { ...it.object, metadata: { ...fieldsOf(it.object["metadata"]), namespace, name } }
    const pod = kind.kind === "Pod" ? projectPod(object) : undefined
    const workload = kind.kind === "Pod" ? pod?.workload : projectObject(kind)(object)
    if (workload === undefined) return false
    if (this.#namespace !== undefined && namespace !== this.#namespace) {
      warn(`it names the namespace ${namespace} itself; kubectl would refuse it with -n ${this.#namespace}`)
    }
    if (apiVersion.startsWith("extensions/")) {
      warn(`no API server since 1.16 serves ${apiVersion}; it is planned as ${kind.apiVersion}`)
    }
    if (workload.images.length === 0) warn("it has no containers: a patch, perhaps, of an object that stands elsewhere")
    const key = this.#keyOf(workload.key, pod ?? workload, name.endsWith("*"), warn, at)
    if (key === undefined) return true
    if (pod === undefined) this.#store.putWorkload({ ...workload, key })
    else this.#store.putPod({ ...pod, workload: { ...workload, key } })
    return true
  }

  /** A key of its own for each object; undefined for one that was read already, word for word. */
  #keyOf(
    key: string,
    as: Workload | Pod,
    generated: boolean,
    warn: (text: string) => void,
    at: string
  ): string | undefined {
    const before = this.#seen.get(key)
    if (before === undefined) {
      this.#seen.set(key, { at, as })
      return key
    }
    if (!generated) {
      if (isDeepStrictEqual(before.as, as)) return undefined
      warn(`another one of that name is in ${before.at}; both are planned, though a cluster has one at a time`)
    }
    for (let count = 2;; count++) {
      const next = `${key}#${count}`
      if (this.#seen.has(next)) continue
      this.#seen.set(next, { at, as })
      return next
    }
  }
}
