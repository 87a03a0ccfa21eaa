// ShownText: text that others chose, made fit for a terminal: what would move the cursor, hide text or turn its direction is
// written as an escape, so that it can be seen and nothing is lost.
import { unfit } from "../http/UnfitText.ts"

const escaped = (it: string): string => `\\u${(it.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`

/** One line, `\u001b` in place of an escape character. */
export const shownText = (text: string): string => text.replaceAll(unfit, (run) => Array.from(run, escaped).join(""))
