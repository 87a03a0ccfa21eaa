// Any object as an API server has it in JSON: what is null or empty is left out, numbers are whole, and times are times.
import type { Message, Type } from "../../src/protobuf/Message.ts"

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const whole = (value: unknown): number => Math.trunc(Number(value)) % 2 ** 31 + 0

const valueAsServed = (type: Type, value: unknown): unknown => {
  switch (type._tag) {
    case "Text":
    case "Unique":
      return value === "" ? undefined : String(value).toWellFormed()
    case "Int":
      return whole(value)
    case "Positive":
      return Math.abs(whole(value)) === 0 ? undefined : Math.abs(whole(value))
    case "Flag":
      return value === true
    case "Time":
      return `${new Date(String(value).length * 86_400_000).toISOString().slice(0, -5)}Z`
    case "IntOrText":
      return typeof value === "string" ? value.toWellFormed() : whole(value)
    case "Map": {
      const entries = Object.entries(isObject(value) ? value : {}).filter(([key]) => key !== "__proto__")
      return entries.length === 0
        ? undefined
        : Object.fromEntries(entries.map(([key, it]) => [key.toWellFormed(), String(it).toWellFormed()]))
    }
    case "Texts":
      return Array.isArray(value) && value.length > 0 ? value.map((it) => String(it).toWellFormed()) : undefined
    case "Bytes":
      return value
    case "One":
      return asServed(type.message, value)
    case "Many":
      return Array.isArray(value) && value.length > 0 ? value.map((it) => asServed(type.message, it)) : undefined
    case "Made":
      if (!type.many) return asServed(type.message, value)
      return Array.isArray(value) && value.length > 0 ? value.map((it) => asServed(type.message, it)) : undefined
    case "Inline":
      return undefined
  }
}

/** @param message the table of what is kept of the object */
export const asServed = (message: Message, object: unknown): Readonly<Record<string, unknown>> => {
  const result: Record<string, unknown> = {}
  if (!isObject(object)) return result
  for (const field of message.fields) {
    if (field === undefined) continue
    if (field.type._tag === "Inline") {
      Object.assign(result, asServed(field.type.message, object))
      continue
    }
    const value = object[field.name]
    if (value === undefined || value === null) continue
    const served = field.name === "fieldsV1" ? (isObject(value) ? value : undefined) : valueAsServed(field.type, value)
    if (served !== undefined) result[field.name] = served
  }
  return result
}
