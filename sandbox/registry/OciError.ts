// The distribution specification's error answers as data: code, status and message of one failed request.
// Source: OCI distribution-spec 1.1 "Error Codes"; docker's UNSUPPORTED and DENIED as Distribution gives them.
import { Data } from "effect"
import type { Reply } from "../server/Exchange.ts"
import * as Exchange from "../server/Exchange.ts"

const statusOf = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DENIED: 403,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  PAGINATION_NUMBER_INVALID: 400,
  RANGE_INVALID: 416,
  SIZE_INVALID: 400,
  UNAUTHORIZED: 401,
  UNSUPPORTED: 405
}

export class OciError extends Data.TaggedError("OciError")<{
  readonly code: keyof typeof statusOf
  readonly detail: string
  /** Where the code's usual status does not fit (413 for a manifest that is too large). */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}> {
  override get message() {
    return `${this.code}: ${this.detail}`
  }
}

export const replyOf = (error: OciError): Reply =>
  Exchange.json(error.status ?? statusOf[error.code], { errors: [{ code: error.code, message: error.detail }] }, {
    ...error.headers
  })
