// Html: text → HTML, in one place: whatever is put into a template is escaped, unless it came out of one. Names are chosen by tenants.
// Edge: values stand between tags or in quoted attributes; nothing that others wrote is ever the name of a tag, a style or an address.
import { withoutUnfit } from "../../http/UnfitText.ts"

/** What is HTML already; only a template makes it. */
export class Html {
  readonly text: string
  private constructor(text: string) {
    this.text = text
  }

  static of(parts: ReadonlyArray<string>, values: ReadonlyArray<Value>): Html {
    return new Html(parts.map((part, index) => index === 0 ? part : `${shown(values[index - 1])}${part}`).join(""))
  }
}

export type Value = string | number | Html | ReadonlyArray<Html> | undefined

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "\"": "&quot;",
  "'": "&#39;",
  "`": "&#96;"
}

/**
 * Text as it may stand between tags and in quoted attributes. What cannot be seen, turns the direction or controls is written as an
 * escape, so that one name cannot pass for another; half a character becomes U+FFFD.
 */
export const escaped = (text: string): string =>
  withoutUnfit(text.toWellFormed()).replaceAll(/[&<>"'`]/g, (it) => entities[it] ?? "")

const shown = (value: Value): string => {
  if (value === undefined) return ""
  if (value instanceof Html) return value.text
  return typeof value === "object" ? value.map((it) => it.text).join("") : escaped(String(value))
}

/** A template of HTML: what is put in is escaped; lists of HTML are joined. */
export const html = (parts: TemplateStringsArray, ...values: ReadonlyArray<Value>): Html => Html.of(parts, values)
