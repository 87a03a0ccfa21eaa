// What changes at a registry that is known: its password, and the token server that it has named, as conversations. What has not
// changed is not sent again, and what is gone is asked for anew.
import { Effect, Option } from "effect"
import { basic } from "../../../src/registry/auth/DockerConfig.ts"
import type { RegistryError } from "../../../src/registry/RegistryError.ts"
import {
  type Answer,
  conversations,
  refused,
  type Row,
  type Step,
  type Talk,
  type Told
} from "../../support/Conversation.ts"
import { imageOf } from "../../support/TestImages.ts"

const { root } = imageOf([])
const login = basic("me", "secret")
const asMe = "Basic bWU6c2VjcmV0"
const found: Told = { status: 200, headers: { "docker-content-digest": root.digest, "content-type": root.mediaType } }
const token = (value: string): Told => ({ status: 200, body: JSON.stringify({ token: value }) })
const bearer = (path: string): Told =>
  refused(401, "UNAUTHORIZED", "", { "www-authenticate": `Bearer realm="http://{realm}${path}",service="reg"` })
const basicOnly: Told = refused(401, "UNAUTHORIZED", "", { "www-authenticate": "Basic realm=\"Nexus\"" })

/** The n-th look at what there is finds the n-th of these passwords, and the last one from then on. */
const fileOf = (...passwords: ReadonlyArray<string>) => {
  let looks = 0
  return () => basic("me", passwords[Math.min(looks++, passwords.length - 1)] ?? "")
}
const asOld = "Basic bWU6b2xk"
const head = (repository: string, answer: Answer, authorization?: string): Step => ({
  expect: `HEAD /v2/${repository}/manifests/1`,
  with: { authorization },
  answer
})
const mirrorHead = (answer: Answer, authorization?: string): Step => head("mirror/app", answer, authorization)
/** Looks so often, and tells of each whether the image is there or why not. A backup is asked as nobody but its owner. */
const look = (at: "app" | "mirror", times: number) => (talk: Talk) =>
  Effect.forEach(Array.from({ length: times }), () =>
    talk.client.headManifest(talk[at], "1").pipe(
      Effect.map((it) => Option.isSome(it) ? "there" : "not there"),
      Effect.catch((error: RegistryError) => Effect.succeed(error.reason))
    ))

const passwords: ReadonlyArray<Row> = [
  {
    name: "is refused at the registry that has just asked for it: shown once",
    call: look("mirror", 1),
    options: { credentials: () => login },
    steps: [mirrorHead(basicOnly), mirrorHead(basicOnly, asMe)],
    outcome: { value: ["Unauthorized"] }
  },
  {
    name: "is refused from some time on: shown once a request, since nothing has changed",
    call: look("mirror", 3),
    options: { credentials: () => login },
    steps: [
      mirrorHead(basicOnly),
      mirrorHead(found, asMe),
      mirrorHead(basicOnly, asMe),
      mirrorHead(basicOnly, asMe)
    ],
    outcome: { value: ["there", "Unauthorized", "Unauthorized"] }
  },
  {
    name: "is refused until the file has another",
    call: look("mirror", 2),
    options: { credentials: fileOf("old", "secret") },
    steps: [mirrorHead(basicOnly), mirrorHead(basicOnly, asOld), mirrorHead(found, asMe)],
    outcome: { value: ["Unauthorized", "there"] }
  },
  {
    name: "is refused where a token is wanted now: a token is got for it, once",
    call: look("mirror", 2),
    options: { credentials: () => login },
    steps: [
      mirrorHead(basicOnly),
      mirrorHead(found, asMe),
      mirrorHead(bearer("/token"), asMe),
      {
        at: "realm",
        expect: "GET /token?service=reg&scope=repository%3Amirror%2Fapp%3Apull%2Cpush",
        with: { authorization: asMe },
        answer: token("t1")
      },
      mirrorHead(found, "Bearer t1")
    ],
    outcome: { value: ["there", "there"] }
  },
  {
    name: "of a source is refused: shown once, and then it is asked as anybody",
    call: look("app", 2),
    options: { sourceCredentials: "always", credentials: () => login },
    steps: [
      head("app", basicOnly),
      head("app", found, asMe),
      head("app", basicOnly, asMe),
      head("app", found)
    ],
    outcome: { value: ["there", "there"] }
  },
  {
    name: "is refused to a write: shown once",
    call: ({ client, mirror }) =>
      Effect.andThen(client.headManifest(mirror, "1"), Effect.asVoid(client.startUpload(mirror))),
    options: { credentials: () => login },
    steps: [
      mirrorHead(basicOnly),
      mirrorHead(found, asMe),
      { expect: "POST /v2/mirror/app/blobs/uploads/", with: { authorization: asMe }, answer: basicOnly }
    ],
    outcome: { failure: { reason: "Unauthorized", retryable: false } }
  }
]

const mirrorToken = (path: string, answer: Answer, authorization: string): Step => ({
  at: "realm",
  expect: `GET ${path}?service=reg&scope=repository%3Amirror%2Fapp%3Apull%2Cpush`,
  with: { authorization },
  answer
})
/** A token from the first server; the next one is asked for with another password, which is in the file by then. */
const before: ReadonlyArray<Step> = [
  mirrorHead(bearer("/old")),
  mirrorToken("/old", token("t1"), asOld),
  mirrorHead(found, "Bearer t1")
]
const afresh = () => ({ credentials: fileOf("old", "secret"), limits: { attempts: 1 } })

const gone: ReadonlyArray<Row> = [
  ...([[404, "with 404"], [410, "with 410"]] as const).map(([status, name]): Row => ({
    name: `${name}: asked what it wants now, and from then on that`,
    call: look("mirror", 3),
    options: afresh(),
    steps: [
      ...before,
      mirrorToken("/old", refused(status, "NOT_FOUND"), asMe),
      mirrorHead(bearer("/new")),
      mirrorToken("/new", token("t2"), asMe),
      mirrorHead(found, "Bearer t2"),
      mirrorHead(found, "Bearer t2")
    ],
    outcome: { value: ["there", "there", "there"] }
  })),
  {
    name: "with its host: asked what it wants now",
    call: look("mirror", 2),
    options: afresh(),
    steps: [
      // nothing listens there
      mirrorHead(refused(401, "UNAUTHORIZED", "", { "www-authenticate": "Bearer realm=\"http://127.0.0.1:1/token\"" })),
      mirrorHead(bearer("/new")),
      mirrorToken("/new", token("t2"), asMe),
      mirrorHead(found, "Bearer t2")
    ],
    outcome: { value: ["Unreachable", "there"] }
  },
  {
    name: "not at all, it hangs up: asked again itself, and not the repository",
    call: look("mirror", 2),
    options: { ...afresh(), limits: { attempts: 2 } },
    steps: [
      ...before,
      mirrorToken("/old", "hangs up", asMe),
      mirrorToken("/old", token("t2"), asMe),
      mirrorHead(found, "Bearer t2")
    ],
    outcome: { value: ["there", "there"] }
  },
  {
    name: "and the password itself is wanted now",
    call: look("mirror", 3),
    options: afresh(),
    steps: [
      ...before,
      mirrorToken("/old", refused(404, "NOT_FOUND"), asMe),
      mirrorHead(basicOnly),
      mirrorHead(found, asMe),
      mirrorHead(found, asMe)
    ],
    outcome: { value: ["there", "there", "there"] }
  },
  {
    name: "and named again: it is not asked twice, and its failure stands until it is back",
    call: look("mirror", 3),
    options: afresh(),
    steps: [
      ...before,
      mirrorToken("/old", refused(404, "NOT_FOUND"), asMe),
      mirrorHead(bearer("/old")),
      mirrorToken("/old", token("t2"), asMe),
      mirrorHead(found, "Bearer t2")
    ],
    outcome: { value: ["there", "NotFound", "there"] }
  },
  {
    name: "and the registry is silent too: the failure stands, and the next request finds the new one",
    call: look("mirror", 3),
    options: afresh(),
    steps: [
      ...before,
      mirrorToken("/old", refused(410, "GONE"), asMe),
      mirrorHead({ status: 500 }),
      mirrorHead(bearer("/new")),
      mirrorToken("/new", token("t2"), asMe),
      mirrorHead(found, "Bearer t2")
    ],
    outcome: { value: ["there", "Invalid", "there"] }
  },
  ...([403, 503] as const).map((status): Row => ({
    name: `not at all, it answers ${status}: that is its word, and the repository is not asked`,
    call: look("mirror", 2),
    options: afresh(),
    steps: [...before, mirrorToken("/old", refused(status, "DENIED"), asMe)],
    outcome: { value: ["there", status === 403 ? "Denied" : "Unavailable"] }
  })),
  {
    name: "and the one that is named now is a stranger's: it is not shown the login",
    call: look("mirror", 2),
    options: afresh(),
    steps: [
      ...before,
      mirrorToken("/old", refused(404, "NOT_FOUND"), asMe),
      mirrorHead(
        refused(401, "UNAUTHORIZED", "", { "www-authenticate": "Bearer realm=\"http://localhost:{port}/x\"" })
      ),
      {
        at: "realm",
        expect: "GET /x?scope=repository%3Amirror%2Fapp%3Apull%2Cpush",
        with: { authorization: undefined },
        answer: refused(401, "UNAUTHORIZED")
      }
    ],
    outcome: { value: ["there", "Unauthorized"] }
  }
]

conversations("a password", passwords)
conversations("a repository's own token server is gone", gone)
