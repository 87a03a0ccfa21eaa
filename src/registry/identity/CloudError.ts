// CloudError: why a cloud gave us no token or did nothing for us: which cloud, as whom, for what, what it said, and what to do.
// Edge: what its texts mean is CloudHints.ts; that nothing secret is in them is the caller's care.
import { Data } from "effect"
import { quoted } from "../RegistryError.ts"
import { hintOf } from "./CloudHints.ts"

export class CloudError extends Data.TaggedError("CloudError")<{
  /** As people call it: `AWS`. */
  readonly cloud: string
  /** As whom it was asked: an ARN, a client id, or what was to be found. */
  readonly identity: string
  /** By the name of its permission, as policies write it. */
  readonly action: string
  /** The registry or repository that it was for. */
  readonly resource: string
  /** The cloud's own words. */
  readonly detail: string
  /** May the same succeed later without anybody changing anything? */
  readonly retryable: boolean
}> {
  override get message() {
    const hint = hintOf(this.detail)
    const said = `${this.cloud} as ${this.identity}: ${this.action} for ${this.resource}: ${quoted(this.detail)}`
    return hint === undefined ? said : `${said}. ${hint}`
  }
}
