// Expired: does a refusal say that a login or token has ended? Another may do then, at once; other refusals are about rights.
// Source: ECR, which says it with 403 in private registries and with 400, without a challenge, in the public one.

const text = /token (?:has|is) expired|expired token/i

/** True for 400, 401 and 403 with words about an end; HEAD has no words. */
export const saysExpired = ({ body, status }: { readonly status: number; readonly body: Uint8Array }): boolean =>
  (status === 400 || status === 401 || status === 403) && body.length > 0 && body.length < 8192 &&
  text.test(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1"))
