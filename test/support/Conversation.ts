// A conversation with scripted servers: which requests must come, in which order, and what is answered to each. Any other
// request, and any that does not come, fails the test. Edge: plain HTTP; servers that know what registries know are
// FakeRegistry.ts and RealRegistry.ts.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, type Scope } from "effect"
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http"
import { type CloneError, Cloner } from "../../src/clone/Cloner.ts"
import type { Repository } from "../../src/image/Repository.ts"
import { RegistryClient } from "../../src/registry/RegistryClient.ts"
import type { RegistryError } from "../../src/registry/RegistryError.ts"
import { type FakeServer, startServer } from "./FakeRegistry.ts"
import { clonerLayer, type TestOptions } from "./Registries.ts"
import { eventually } from "./Eventually.ts"

const names = ["registry", "backup", "realm", "storage"] as const
/** `registry` has the repository `app`, and `mirror/app` as well unless the row has a `backup` of its own. */
export type ServerName = typeof names[number]

/** What is sent back; a length is told unless the headers say how it comes. */
export interface Told {
  readonly status: number
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string | Buffer
  /** Hangs up after so many bytes of the body. */
  readonly cut?: number
  /** Stays silent after so many bytes of the body. */
  readonly still?: number
  /** One byte of the body after another, with so many milliseconds between. */
  readonly drip?: number
  /** Before the request's body is read, and then: */
  readonly early?: "reads on" | "hangs up"
}
export type Answer = Told | "hangs up" | "silence" | "nonsense" | (() => Told)

/** A request that must come, and its answer. Servers in braces stand for their `host:port`, `{into}` for the copy's place. */
export interface Step {
  /** Default: registry. */
  readonly at?: ServerName
  /** `METHOD /path?query`, as it is on the wire. */
  readonly expect: string
  /** Headers that must be so; undefined: must not be there. */
  readonly with?: Readonly<Record<string, string | undefined>>
  /** What the request must bring. */
  readonly body?: string | Buffer
  readonly answer: Answer
  /** Its body must never come to its end. */
  readonly unfinished?: boolean
  /** Not at its place among the others of its server: whenever it likes. */
  readonly whenever?: boolean
}

/** What a row calls. */
export interface Talk {
  readonly client: RegistryClient["Service"]
  readonly cloner: Cloner["Service"]
  readonly app: Repository
  readonly mirror: Repository
}

export interface Failure {
  readonly reason: string
  /** Whom a failed copy blames. */
  readonly side?: "source" | "backup"
  readonly retryable?: boolean
  /** Seconds, to within two; undefined: none. */
  readonly retryAfter?: number | undefined
  readonly says?: string
  readonly hides?: string
}

/** One line of a table: one behaviour. */
export interface Row {
  readonly name: string
  readonly call: (talk: Talk) => Effect.Effect<unknown, RegistryError | CloneError, Scope.Scope>
  readonly steps: ReadonlyArray<Step>
  readonly outcome: { readonly value: unknown } | { readonly failure: Failure }
  /** The backup is a server of its own. */
  readonly apart?: boolean
  readonly options?: Partial<TestOptions>
}

/** An error as registries say it. */
export const refused = (status: number, code: string, message = "", headers: OutgoingHttpHeaders = {}): Told => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify({ errors: [{ code, message, detail: { any: [1] } }] })
})

const send = (told: Told, request: IncomingMessage, response: ServerResponse, fill: (text: string) => string): void => {
  const body = typeof told.body === "string" ? Buffer.from(fill(told.body)) : told.body ?? Buffer.alloc(0)
  const headers: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(told.headers ?? {})) {
    headers[name] = typeof value === "string" ? fill(value) : Array.isArray(value) ? value.map(fill) : value
  }
  const sized = told.status !== 204 && headers["content-length"] === undefined &&
    headers["transfer-encoding"] === undefined
  response.writeHead(told.status, sized ? { ...headers, "content-length": body.length } : headers)
  if (request.method === "HEAD") return void response.end()
  if (told.cut !== undefined || told.still !== undefined) {
    // what is on the way must be there before the end is
    const then = told.cut === undefined ? () => {} : () => setTimeout(() => response.destroy(), 20)
    return void response.write(body.subarray(0, told.cut ?? told.still), then)
  }
  if (told.drip !== undefined) {
    let at = 0
    const timer = setInterval(() => response.write(body.subarray(at, ++at)), told.drip)
    return void response.once("close", () => clearInterval(timer))
  }
  if (told.early === "hangs up") return void response.end(body, () => setTimeout(() => request.destroy(), 20))
  response.end(body)
}

const reply = (
  answer: Answer,
  request: IncomingMessage,
  response: ServerResponse,
  fill: (text: string) => string
): void => {
  if (answer === "silence") return
  if (answer === "hangs up") return void response.destroy()
  if (answer === "nonsense") return void request.socket.end("ceci n'est pas du HTTP\r\n\r\n")
  send(typeof answer === "function" ? answer() : answer, request, response, fill)
}

interface Script {
  readonly take: (server: ServerName, request: IncomingMessage) => Step | undefined
  readonly received: (step: Step, body: Buffer) => void
  readonly unused: (whenever: boolean) => ReadonlyArray<string>
  readonly problems: ReadonlyArray<string>
}

const makeScript = (steps: ReadonlyArray<Step>, fill: (text: string) => string): Script => {
  // a step can stand in a row twice
  const left = new Set(steps.map((it) => ({ ...it })))
  const problems: Array<string> = []
  const lineOf = (step: Step) => `${step.at ?? "registry"}: ${fill(step.expect)}`
  return {
    problems,
    unused: (whenever) => [...left].filter((it) => (it.whenever === true) === whenever).map(lineOf),
    take: (server, request) => {
      const line = `${server}: ${request.method} ${request.url}`
      const mine = [...left].filter((it) => (it.at ?? "registry") === server)
      const next = mine.find((it) => it.whenever !== true)
      const step = next !== undefined && lineOf(next) === line
        ? next
        : mine.find((it) => it.whenever === true && lineOf(it) === line)
      if (step === undefined) {
        problems.push(`${line}\n  came in place of ${next === undefined ? "nothing" : lineOf(next)}`)
        return undefined
      }
      left.delete(step)
      for (const [name, value] of Object.entries(step.with ?? {})) {
        const got = request.headers[name]
        const wanted = value === undefined ? undefined : fill(value)
        if (got !== wanted) problems.push(`${line}\n  came with ${name}: ${got} in place of ${wanted}`)
      }
      return step
    },
    received: (step, body) => {
      if (step.unfinished === true) problems.push(`${lineOf(step)}\n  came to its end, after ${body.length} bytes`)
      if (step.body === undefined) return
      const wanted = typeof step.body === "string" ? Buffer.from(fill(step.body)) : step.body
      if (!body.equals(wanted)) {
        problems.push(`${lineOf(step)}\n  brought ${body.length} other bytes: ${body.subarray(0, 300).toString()}`)
      }
    }
  }
}

const startScripted = (name: ServerName, script: () => Script, fill: (text: string) => string) => {
  const taken = new WeakMap<ServerResponse, { readonly step: Step; readonly request: IncomingMessage }>()
  return startServer(
    ({ body }, response) => {
      const one = taken.get(response)
      if (one === undefined) return
      script().received(one.step, body)
      reply(one.step.answer, one.request, response, fill)
    },
    undefined,
    {
      early: (request, _, response) => {
        const step = script().take(name, request)
        if (step === undefined) {
          // nothing that anybody would try again
          response.writeHead(418, { connection: "close" }).end()
          return true
        }
        if (typeof step.answer === "object" && step.answer.early !== undefined) {
          reply(step.answer, request, response, fill)
          return true
        }
        taken.set(response, { step, request })
        return false
      }
    }
  )
}

const judge = (row: Row, outcome: { readonly value: unknown } | { readonly error: RegistryError | CloneError }) => {
  if ("value" in outcome) {
    if ("failure" in row.outcome) return assert.fail(`it came to ${JSON.stringify(outcome.value)}`)
    return assert.deepStrictEqual(outcome.value, row.outcome.value)
  }
  const { error } = outcome
  if ("value" in row.outcome) return assert.fail(`${error.reason}: ${error.message}`)
  const { failure } = row.outcome
  assert.strictEqual(error.reason, failure.reason, error.message)
  if (failure.side !== undefined) assert.strictEqual(error._tag === "CloneError" ? error.side : undefined, failure.side)
  if (failure.retryable !== undefined) assert.strictEqual(error.retryable, failure.retryable, error.message)
  if ("retryAfter" in failure) {
    const seconds = error.retryAfter === undefined ? undefined : Duration.toSeconds(error.retryAfter)
    if (failure.retryAfter === undefined) assert.isUndefined(seconds, error.message)
    else assert.approximately(seconds ?? Number.NaN, failure.retryAfter, 2, error.message)
  }
  if (failure.says !== undefined) assert.include(error.message, failure.says)
  if (failure.hides !== undefined) assert.notInclude(error.message, failure.hides)
}

/** Holds one conversation and judges it. */
const converse = (row: Row): Effect.Effect<void> =>
  Effect.gen(function*() {
    const servers: Partial<Record<ServerName, FakeServer>> = {}
    const hostOf = (name: ServerName) => servers[name]?.host ?? ""
    const fill = (text: string) =>
      names.reduce((so, name) => so.replaceAll(`{${name}}`, hostOf(name)), text)
        .replaceAll("{into}", `mirror/${hostOf("registry").replace(":", "_")}/app`)
        .replaceAll("{port}", hostOf("realm").split(":")[1] ?? "")
    const script = makeScript(row.steps, fill)
    for (const name of names) servers[name] = yield* startScripted(name, () => script, fill)
    const registry = hostOf("registry")
    const backup = hostOf(row.apart === true ? "backup" : "registry")
    const { limits, ...options } = row.options ?? {}
    const outcome = yield* Effect.gen(function*() {
      const talk: Talk = {
        client: yield* RegistryClient,
        cloner: yield* Cloner,
        app: { registry, repository: "app" },
        mirror: { registry: backup, repository: "mirror/app" }
      }
      const result = yield* row.call(talk).pipe(
        Effect.scoped,
        Effect.match({ onFailure: (error) => ({ error }), onSuccess: (value) => ({ value }) })
      )
      // uploads are ended behind everybody's back
      yield* Effect.timeoutOption(
        eventually("the rest does not come", () => script.problems.length > 0 || script.unused(true).length === 0),
        "2 seconds"
      )
      yield* Effect.sleep("2 millis")
      return result
    }).pipe(Effect.provide(clonerLayer({
      backup,
      plainHttp: [registry, backup],
      privateHosts: names.flatMap((name) => [hostOf(name), hostOf(name).replace("127.0.0.1", "localhost")]),
      limits: { attempts: 3, longestWait: Duration.millis(500), ...limits },
      ...options
    })))
    assert.deepStrictEqual(script.problems, [])
    judge(row, outcome)
    assert.deepStrictEqual([...script.unused(false), ...script.unused(true)], [], "requests that did not come")
  }).pipe(Effect.scoped)

/** A table of conversations, a test a row. */
export const conversations = (about: string, rows: ReadonlyArray<Row>): void => {
  describe(`${about}:`, () => {
    it.live.each(rows.map((row): [string, Row] => [row.name, row]))("%s", ([, row]) => converse(row))
  })
}
