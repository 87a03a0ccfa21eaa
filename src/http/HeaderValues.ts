// Values of HTTP headers, as servers send them: several times, or not what they should be.

/** The first value of a header that may come several times. */
export const firstOf = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "object" ? value[0] : value

/** A header that is a count of bytes; undefined where it is none. */
export const numberOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
