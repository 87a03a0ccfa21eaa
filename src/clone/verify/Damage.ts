// Damage: what an answer of the backup says of the part that it was asked for: right, damaged, or nothing at all. Pure.
import { isAbsent, type RegistryError } from "../../registry/RegistryError.ts"

/**
 * What is wrong with a part of an image: `size` and `corrupt` are other bytes than the digest's, `unreadable` is a part at
 * which the registry itself fails, `moved` a tag that names something else.
 */
export type Fault = "missing" | "size" | "corrupt" | "unreadable" | "invalid" | "moved"

export type Check =
  | { readonly _tag: "Right" }
  | { readonly _tag: "Wrong"; readonly fault: Fault; readonly detail: string }
  | { readonly _tag: "Unknown"; readonly detail: string }

export const absent = { _tag: "Wrong", fault: "missing", detail: "the backup does not have it" } as const

/** What a registry's refusal says of the part that was asked for; not everything says something. */
export const checkOf = (error: RegistryError): Exclude<Check, { readonly _tag: "Right" }> => {
  const wrong = (fault: Fault) => ({ _tag: "Wrong" as const, fault, detail: error.detail })
  if (isAbsent(error)) return absent
  if (error.reason === "Corrupt") return wrong("corrupt")
  if (error.reason === "Unreadable" || error.reason === "TooLarge") return wrong("unreadable")
  return { _tag: "Unknown", detail: error.message }
}
