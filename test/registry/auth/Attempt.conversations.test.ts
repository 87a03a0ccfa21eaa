// Registries whose repositories are let in by different ways, as conversations: repository managers give each repository a token
// server of its own, or Basic to one and tokens to another. Sources: Sonatype Nexus and JFrog Artifactory, "Docker registry".
import { Duration, Effect, Option } from "effect"
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

/** Looks at these repositories of the registry, one after the other, and tells of each whether it is there or why not. */
const look = (...repositories: ReadonlyArray<string>) => ({ app, client }: Talk) =>
  Effect.forEach(repositories, (repository) =>
    client.headManifest({ ...app, repository }, "1").pipe(
      Effect.map((it) => Option.isSome(it) ? "there" : "not there"),
      Effect.catch((error: RegistryError) => Effect.succeed(error.reason))
    ))

const bearer = (path: string): Told =>
  refused(401, "UNAUTHORIZED", "", { "www-authenticate": `Bearer realm="http://{realm}${path}",service="reg"` })
const basicOnly: Told = refused(401, "UNAUTHORIZED", "", { "www-authenticate": "Basic realm=\"Nexus\"" })

const head = (repository: string, answer: Answer, authorization?: string): Step => ({
  expect: `HEAD /v2/${repository}/manifests/1`,
  with: { authorization },
  answer
})
const get = (path: string, repository: string, answer: Answer, authorization?: string): Step => ({
  at: "realm",
  expect: `GET ${path}?service=reg&scope=repository%3A${repository.replaceAll("/", "%2F")}%3Apull`,
  with: { authorization },
  answer
})
const asOwner = { backup: "backup.test", sourceCredentials: "always", credentials: () => login } as const

const rows: ReadonlyArray<Row> = [
  {
    name: "the same challenge everywhere: learnt once, and no request more for another repository",
    call: look("a", "b", "c"),
    steps: [
      head("a", bearer("/token")),
      get("/token", "a", token("ta")),
      head("a", found, "Bearer ta"),
      get("/token", "b", token("tb")),
      head("b", found, "Bearer tb"),
      get("/token", "c", token("tc")),
      head("c", found, "Bearer tc")
    ],
    outcome: { value: ["there", "there", "there"] }
  },
  {
    name: "a token of the neighbour's server is refused: the repository's own is asked, and each keeps its own",
    call: look("a", "b", "a", "b", "c"),
    steps: [
      head("a", bearer("/one")),
      get("/one", "a", token("ta")),
      head("a", found, "Bearer ta"),
      get("/one", "b", token("stranger")),
      head("b", bearer("/two"), "Bearer stranger"),
      get("/two", "b", token("tb")),
      head("b", found, "Bearer tb"),
      head("a", found, "Bearer ta"),
      head("b", found, "Bearer tb"),
      // where they differ nobody's word goes for a third one
      head("c", bearer("/three")),
      get("/three", "c", token("tc")),
      head("c", found, "Bearer tc")
    ],
    outcome: { value: ["there", "there", "there", "there", "there"] }
  },
  ...([400, 401, 403, 404] as const).map((status): Row => ({
    name: `the neighbour's token server answers ${status}: the repository is asked what it wants`,
    call: look("a", "b"),
    steps: [
      head("a", bearer("/one")),
      get("/one", "a", token("ta")),
      head("a", found, "Bearer ta"),
      get("/one", "b", refused(status, "DENIED")),
      head("b", bearer("/two")),
      get("/two", "b", token("tb")),
      head("b", found, "Bearer tb")
    ],
    outcome: { value: ["there", "there"] }
  })),
  {
    name: "the token server of all refuses one: asked what it wants once, it wants nothing else, and is closed",
    call: look("a", "b", "b"),
    steps: [
      head("a", bearer("/token")),
      get("/token", "a", token("ta")),
      head("a", found, "Bearer ta"),
      get("/token", "b", refused(403, "DENIED")),
      head("b", bearer("/token")),
      get("/token", "b", refused(403, "DENIED"))
    ],
    outcome: { value: ["there", "Denied", "Denied"] }
  },
  {
    name:
      "nothing comes of the neighbour's token server: what the repository says to nobody is not believed of what is there",
    call: look("a", "b"),
    steps: [
      head("a", bearer("/token")),
      get("/token", "a", token("ta")),
      head("a", found, "Bearer ta"),
      get("/token", "b", refused(403, "DENIED")),
      head("b", { status: 404 })
    ],
    outcome: { value: ["there", "Denied"] }
  },
  {
    name: "one repository wants a password, another a token for it",
    call: look("a", "b", "a", "b"),
    options: asOwner,
    steps: [
      head("a", basicOnly),
      head("a", found, asMe),
      head("b", bearer("/token"), asMe),
      get("/token", "b", token("tb"), asMe),
      head("b", found, "Bearer tb"),
      head("a", found, asMe),
      head("b", found, "Bearer tb")
    ],
    outcome: { value: ["there", "there", "there", "there"] }
  },
  {
    name: "one repository wants a token, another the password itself",
    call: look("b", "a", "a", "b"),
    options: asOwner,
    steps: [
      head("b", bearer("/token")),
      get("/token", "b", token("tb"), asMe),
      head("b", found, "Bearer tb"),
      get("/token", "a", token("ta"), asMe),
      head("a", basicOnly, "Bearer ta"),
      head("a", found, asMe),
      head("a", found, asMe),
      head("b", found, "Bearer tb")
    ],
    outcome: { value: ["there", "there", "there", "there"] }
  },
  {
    name: "one repository is open, beside one whose token server is nothing for it",
    call: look("a", "b"),
    steps: [
      head("a", bearer("/token")),
      get("/token", "a", token("ta")),
      head("a", found, "Bearer ta"),
      get("/token", "b", refused(404, "NOT_FOUND")),
      head("b", found)
    ],
    outcome: { value: ["there", "there"] }
  },
  {
    name: "the neighbour's token server is down: that of another repository is not",
    call: look("a", "b"),
    options: { limits: { attempts: 1 } },
    steps: [
      head("a", bearer("/one")),
      get("/one", "a", token("ta")),
      head("a", found, "Bearer ta"),
      get("/one", "b", "hangs up"),
      head("b", bearer("/two")),
      get("/two", "b", token("tb")),
      head("b", found, "Bearer tb")
    ],
    outcome: { value: ["there", "there"] }
  }
]

const offering = (scope: string): Told =>
  refused(401, "UNAUTHORIZED", "", {
    "www-authenticate": `Bearer realm="http://{realm}/token",service="reg",scope="${scope}"`
  })
const local = "repository:local/app:pull"
const getLocal = (answer: Answer, authorization?: string): Step => ({
  at: "realm",
  expect: "GET /token?service=reg&scope=repository%3Alocal%2Fapp%3Apull",
  with: { authorization },
  answer
})

const scopes: ReadonlyArray<Row> = [
  ...([400, 401, 403] as const).map((status): Row => ({
    name: `the token server answers ours with ${status}: the one that the registry offers, and from then on that`,
    call: look("app", "app"),
    steps: [
      head("app", offering(local)),
      get("/token", "app", refused(status, "DENIED")),
      getLocal(token("t1")),
      head("app", found, "Bearer t1"),
      head("app", offering(local), "Bearer t1"),
      getLocal(token("t2")),
      head("app", found, "Bearer t2")
    ],
    outcome: { value: ["there", "there"] }
  })),
  {
    name: "a token for ours does not do: one for what the registry offers does, and from then on that",
    call: look("app", "app"),
    steps: [
      head("app", offering(local)),
      get("/token", "app", token("ours")),
      head("app", offering(local), "Bearer ours"),
      getLocal(token("t")),
      head("app", found, "Bearer t"),
      head("app", found, "Bearer t")
    ],
    outcome: { value: ["there", "there"] }
  },
  {
    name: "neither does: closed, after each was tried once; and ours is tried first again",
    call: look("app", "app"),
    steps: [
      head("app", offering(local)),
      get("/token", "app", token("ours")),
      head("app", offering(local), "Bearer ours"),
      getLocal(token("t")),
      head("app", offering(local), "Bearer t"),
      head("app", offering(local), "Bearer t"),
      getLocal(token("t2")),
      head("app", offering(local), "Bearer t2")
    ],
    outcome: { value: ["Unauthorized", "Unauthorized"] }
  },
  {
    name: "neither gets a token: what the registry has said stands",
    call: look("app"),
    steps: [
      head("app", offering(local)),
      get("/token", "app", token("ours")),
      head("app", offering(local), "Bearer ours"),
      getLocal(refused(403, "DENIED"))
    ],
    outcome: { value: ["Unauthorized"] }
  },
  {
    name: "ours, offered again, is not tried again",
    call: look("app"),
    steps: [
      head("app", offering("repository:app:pull")),
      get("/token", "app", token("ours")),
      head("app", offering("repository:app:pull"), "Bearer ours")
    ],
    outcome: { value: ["Unauthorized"] }
  },
  {
    name: "the token server is down: nothing else is tried for that",
    call: look("app"),
    options: { limits: { attempts: 1 } },
    steps: [head("app", offering(local)), get("/token", "app", { status: 503 })],
    outcome: { value: ["Unavailable"] }
  }
]

const door = (answer: Answer): Step => ({ expect: "GET /v2/", with: { authorization: undefined }, answer })
const doorBasic: Told = { ...basicOnly }

const doors: ReadonlyArray<Row> = [
  ...([401, 403, 404] as const).map((status): Row => ({
    name: `${status} without a challenge, and a login that nobody has seen: /v2/ says how one logs in, once for all`,
    call: look("a", "b"),
    options: asOwner,
    steps: [
      head("a", { status }),
      door(doorBasic),
      head("a", found, asMe),
      head("b", found, asMe)
    ],
    outcome: { value: ["there", "there"] }
  })),
  {
    name: "/v2/ asks for a token: its scope is nobody's, ours is asked for",
    call: look("a"),
    options: asOwner,
    steps: [
      head("a", { status: 404 }),
      door(offering("registry:catalog:*")),
      get("/token", "a", token("ta"), asMe),
      head("a", found, "Bearer ta")
    ],
    outcome: { value: ["there"] }
  },
  {
    name: "/v2/ is open: what is not there is not there, and it is not asked again",
    call: look("a", "b"),
    options: asOwner,
    steps: [
      head("a", { status: 404 }),
      door({ status: 200 }),
      // as nobody, as a source is asked in the end
      head("a", { status: 404 }),
      head("b", { status: 404 }),
      head("b", { status: 404 })
    ],
    outcome: { value: ["not there", "not there"] }
  },
  ...(["hangs up", "silence", "nonsense"] as const).map((answer): Row => ({
    name: `/v2/ comes to ${answer}: the refusal stands`,
    call: look("a"),
    options: { ...asOwner, limits: { attempts: 1, answerTimeout: Duration.millis(200) } },
    steps: [head("a", { status: 404 }), door(answer), head("a", { status: 404 })],
    outcome: { value: ["not there"] }
  })),
  {
    name: "several are refused at once: /v2/ is asked once, and all of them know",
    call: ({ app, client }) =>
      Effect.forEach(
        ["a", "b", "c"],
        (repository) => Effect.map(client.headManifest({ ...app, repository }, "1"), Option.isSome),
        { concurrency: "unbounded" }
      ),
    options: asOwner,
    steps: [
      ...["a", "b", "c"].flatMap((repository) => [
        { ...head(repository, { status: 404 }), whenever: true },
        { ...head(repository, found, asMe), whenever: true }
      ]),
      door(doorBasic)
    ],
    outcome: { value: [true, true, true] }
  },
  {
    name: "/v2/ leads elsewhere: nobody follows, and nobody is shown anything",
    call: look("a"),
    options: asOwner,
    steps: [
      head("a", { status: 404 }),
      door({ status: 302, headers: { location: "http://{storage}/v2/" } }),
      head("a", { status: 404 })
    ],
    outcome: { value: ["not there"] }
  },
  {
    name: "nobody has a login: /v2/ is not asked",
    call: look("a"),
    steps: [head("a", { status: 404 })],
    outcome: { value: ["not there"] }
  },
  {
    name: "a login that the registry has seen is refused: /v2/ is not asked",
    call: look("a"),
    options: asOwner,
    steps: [
      head("a", basicOnly),
      head("a", { status: 404 }, asMe),
      // a source's other reader: nobody
      head("a", { status: 404 })
    ],
    outcome: { value: ["not there"] }
  }
]

const ended: ReadonlyArray<Row> = [
  {
    name: "the server that gave the first one is asked, as nvcr.io needs it",
    call: look("a", "a", "b"),
    steps: [
      head("a", bearer("/proxy")),
      get("/proxy", "a", token("t1")),
      head("a", found, "Bearer t1"),
      head("a", bearer("/elsewhere"), "Bearer t1"),
      get("/proxy", "a", token("t2")),
      head("a", found, "Bearer t2"),
      get("/proxy", "b", token("tb")),
      head("b", found, "Bearer tb")
    ],
    outcome: { value: ["there", "there", "there"] }
  },
  {
    name: "that gives none any more: the new one is asked, and from then on that",
    call: look("a", "a", "a"),
    steps: [
      head("a", bearer("/old")),
      get("/old", "a", token("t1")),
      head("a", found, "Bearer t1"),
      head("a", bearer("/new"), "Bearer t1"),
      get("/old", "a", { status: 404 }),
      get("/new", "a", token("t2")),
      head("a", found, "Bearer t2"),
      head("a", found, "Bearer t2")
    ],
    outcome: { value: ["there", "there", "there"] }
  },
  {
    name: "neither helps: closed, and the first one is asked again the next time",
    call: look("a", "a", "a"),
    steps: [
      head("a", bearer("/old")),
      get("/old", "a", token("t1")),
      head("a", found, "Bearer t1"),
      head("a", bearer("/new"), "Bearer t1"),
      get("/old", "a", token("t2")),
      head("a", bearer("/new"), "Bearer t2"),
      get("/new", "a", refused(401, "UNAUTHORIZED")),
      head("a", found, "Bearer t2")
    ],
    outcome: { value: ["there", "Unauthorized", "there"] }
  }
]

conversations("repositories of one host", rows)
conversations("scopes", scopes)
conversations("a registry that hides what it has", doors)
conversations("a token has ended, and another token server is named", ended)
