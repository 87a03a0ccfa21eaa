// WebPage: what is said of an HTML page that came where a registry's answer should be: a single sign-on, a proxy, a website.
// Edge: its text is nobody's business but the title; whether a page is an error is for whoever asked.
import { firstOf } from "./HeaderValues.ts"

interface Answered {
  readonly headers: Readonly<Record<string, string | Array<string> | undefined>>
  readonly body: Uint8Array
  /** Who answered; undefined: the registry that was asked. */
  readonly url?: URL | undefined
}

/** A title is looked for in so many bytes. */
const headBytes = 16 * 1024
const mostTitle = 100

const html = /^\s*<(?:!doctype\s+html|html|head|body|!--)[\s>]/i
const login = /log-?\s?in|sign-?\s?in|sign-?\s?on|\bsso\b|\/auth|\boauth|\bsaml\b/i

/**
 * An HTML page, by how it begins or by its type; what begins like JSON is none, whatever it is called, and nothing at all is none
 * either: frameworks call it text/html (Quay's).
 */
const isWebPage = ({ body, headers }: Answered): boolean => {
  const begin = textOf(body.subarray(0, 256))
  return html.test(begin) || (
    /^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(firstOf(headers["content-type"]) ?? "") &&
    /^\s*[^\s{[]/.test(begin)
  )
}

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")

const titleOf = (text: string): string =>
  (/<title[^>]*>([^<]{1,400})/i.exec(text)?.[1] ?? "").replaceAll(/\s+/g, " ").trim().slice(0, mostTitle)

/**
 * "a login page of https://sso.example.com/login ("Sign in")": a page in words, for messages; undefined where it is none. The
 * place is named, without its query, where it is not one of a registry's.
 */
export const pageOf = (answer: Answered): string | undefined => {
  if (!isWebPage(answer)) return undefined
  const text = textOf(answer.body.subarray(0, headBytes))
  const title = titleOf(text)
  const place = answer.url === undefined || answer.url.pathname.startsWith("/v2/")
    ? ""
    : ` of ${answer.url.origin}${answer.url.pathname}`
  const kind = login.test(`${title} ${place}`) || /type=["']?password\b/i.test(text) ? "a login page" : "a web page"
  return `${kind}${place}${title === "" ? "" : ` ("${title}")`}`
}
