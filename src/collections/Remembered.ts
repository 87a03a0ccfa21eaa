// Remembered: what a pure function makes of texts that come again and again, as one value each: thousands of objects name the same
// images, tools and labels. Bounded: what has not come for a while is made anew. Long texts, such as what a registry says, always are.

const longest = 256

/**
 * The same function; of a text that came lately its answer is what it was then.
 * @param most how many answers are kept; the half that came last stays when it is full
 * @param options.longest of longer texts nothing is kept, in characters
 */
export const remembered = <A extends {}>(
  most: number,
  make: (text: string) => A,
  options: { readonly longest: number } = { longest }
): (text: string) => A => {
  let recent = new Map<string, A>()
  let before = new Map<string, A>()
  return (text) => {
    const known = recent.get(text)
    if (known !== undefined) return known
    if (text.length > options.longest) return make(text)
    const answer = before.get(text) ?? make(text)
    if (recent.size >= most / 2) {
      before = recent
      recent = new Map()
    }
    recent.set(text, answer)
    return answer
  }
}

/** The same text, as a string that was given before where one is still known. */
export const sharedTexts = (most: number): (text: string) => string => remembered(most, (text) => text)
