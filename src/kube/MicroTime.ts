// MicroTime: a moment as Leases and Events have it, with exactly six digits of a second (apimachinery meta/v1 micro_time.go).

const fraction = (millis: number, micros: number): string =>
  `${new Date(millis).toISOString().slice(0, -1)}${String(micros).padStart(3, "0")}Z`

/**
 * The text of milliseconds since 1970.
 * @param before what it must differ from: others see that a holder lives by this field's change alone, and the wall clock may
 * be set back to the same millisecond, or stand still
 */
export const microTime = (wall: number, before?: string): string => {
  const millis = Math.floor(wall)
  const text = fraction(millis, 0)
  return text === before ? fraction(millis, 1) : text
}
