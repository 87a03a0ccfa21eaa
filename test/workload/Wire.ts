// The projection of an object in Protocol Buffers, as a watch makes it.
import { Result } from "effect"
import { read } from "../../src/protobuf/Read.ts"
import type { PodObject } from "../../src/workload/ApiObjects.ts"
import type { BuiltInKind } from "../../src/workload/Kinds.ts"
import { projectTemplated, readTemplated, type WireTemplated } from "../../src/workload/Project.ts"
import { projectPod, readPod } from "../../src/workload/ProjectPod.ts"
import type { Pod, Workload } from "../../src/workload/Workload.ts"
import { wireObjects } from "../../src/workload/WireObjects.ts"

/** @param bytes without their envelope */
export const projectWire = (kind: BuiltInKind, bytes: Buffer): Result.Result<Pod | Workload, string> =>
  Result.map(read(wireObjects[kind.kind], bytes), (object): Pod | Workload =>
    // the tables have the Schemas' fields and no others
    kind.kind === "Pod" ? readPod(object as typeof PodObject.Type) : readTemplated(kind)(object as WireTemplated))

/** The projection of the same in JSON, without what the two are not meant to have in common. */
export const projectJson = (kind: BuiltInKind, object: unknown): Pod | Workload | undefined =>
  kind.kind === "Pod" ? projectPod(object) : projectTemplated(kind)(object)

/** A shape is compared with others of its own form alone. */
export const withoutShape = (it: Pod | Workload | undefined): unknown =>
  it === undefined || !("shape" in it) ? it : { ...it, shape: undefined }
