// Identifiers from Effect's Random, so that a seeded run gives the same ones.
import { Effect, Random } from "effect"

const repeat = (times: number, alphabet: string): Effect.Effect<string> =>
  Effect.map(
    Effect.all(Array.from({ length: times }, () => Random.nextIntBetween(0, alphabet.length, { halfOpen: true }))),
    (indexes) => indexes.map((it) => alphabet.charAt(it)).join("")
  )

/** Lower-case hexadecimal digits. */
export const randomHex = (digits: number): Effect.Effect<string> => repeat(digits, "0123456789abcdef")

/** What Kubernetes makes of generateName: no vowels, no digits that look like letters. */
export const randomSuffix = (length: number): Effect.Effect<string> => repeat(length, "bcdfghjklmnpqrstvwxz2456789")

/** A version 4 UUID. */
export const uuid: Effect.Effect<string> = Effect.map(randomHex(32), (hex) =>
  [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `${"89ab".charAt(Number.parseInt(hex.charAt(16), 16) % 4)}${hex.slice(17, 20)}`,
    hex.slice(20)
  ].join("-"))
