// Chromium, where it is installed: for what only a browser tells of the page.
import { existsSync } from "node:fs"

/** Its path; undefined: there is none. */
export const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((it) =>
  existsSync(it)
)
