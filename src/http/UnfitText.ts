// UnfitText: characters that text of others may not bring into a log or onto a terminal: control characters would forge lines, marks of
// direction and what cannot be seen would show other text than was sent. Edge: what stands in their place is for whoever shows it.

/** A run of them; matches all. */
export const unfit = /[\p{Cc}\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+/gu
