// UnfitText: characters that text of others may not bring into a log or onto a terminal: control characters would forge lines, marks of
// direction and what cannot be seen would show other text than was sent. Edge: where a text is shown, and what else is done to it
// there, is for whoever shows it.

/** A run of them; matches all. */
export const unfit = /[\p{Cc}\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+/gu

const escape = (it: string): string => `\\u${(it.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`

/** The text with each of them as an escape, `\u001b`, so that it can be seen and nothing is lost. */
export const withoutUnfit = (text: string): string => text.replaceAll(unfit, (run) => Array.from(run, escape).join(""))
