// ShownText: text that others chose, made fit for a terminal: what would move the cursor, hide text or turn its direction is
// written as an escape.
import { withoutUnfit } from "../http/UnfitText.ts"

/** One line, `\u001b` in place of an escape character. */
export const shownText = withoutUnfit
