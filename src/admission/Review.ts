import type { Operation } from "../workload/Patch.ts"
export interface AdmissionRequest {
  readonly uid: string
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT"
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string }
  readonly subResource: string | undefined
  readonly namespace: string
  readonly name: string
  readonly dryRun: boolean
  readonly userName: string
  readonly object: unknown
  readonly oldObject: unknown
}
export interface AdmissionAnswer {
  readonly patch?: ReadonlyArray<Operation>
  readonly warnings?: ReadonlyArray<string>
  readonly auditAnnotations?: Readonly<Record<string, string>>
  readonly denied?: { readonly code: number; readonly reason: string; readonly message: string }
}
