// Demo: the whole story: public images run, a tag moves, the daemon copies, pins and rewrites, the public registry vanishes,
// every pod is deleted, and what was rewritten comes back; another controller fights, and a person asks and restores.
import { Clock, Console, Effect, Redacted, Ref } from "effect"
import { table } from "../../src/cli/Table.ts"
import type { ControlPlane } from "../ControlPlane.ts"
import * as Kubelet from "../kubelet/Kubelet.ts"
import * as EmbeddedRegistry from "../registry/EmbeddedRegistry.ts"
import * as AdmittedPod from "./AdmittedPod.ts"
import * as Cluster from "./Cluster.ts"
import * as Daemon from "./Daemon.ts"
import * as Fight from "./Fight.ts"
import * as MovedTag from "./MovedTag.ts"
import * as ProgramCall from "./ProgramCall.ts"
import * as Scene from "./Scene.ts"
import * as Screen from "./Screen.ts"
import { walk } from "./Walk.ts"

export interface DemoOptions {
  readonly controlPlane: ControlPlane
  /** The bundled program, and the Node.js to run it with. */
  readonly program: string
  readonly node: string
  /** Leave everything up at the end, until interrupted. */
  readonly stay: boolean
}

const login = { username: "cloner", password: "demo" }
const prefix = "backup"
/** What `restore` is shown with. */
const restored: Cluster.Named = { kind: "Deployment", namespace: "shop", name: "api" }

/** Registries, workloads and a node that runs them. */
const build = Effect.gen(function*() {
  const upstream = yield* EmbeddedRegistry.make()
  const backup = yield* EmbeddedRegistry.make({
    auth: {
      _tag: "Basic",
      anonymousPull: false,
      users: [{ name: login.username, password: Redacted.make(login.password) }]
    }
  })
  yield* Scene.publish(upstream)
  yield* Cluster.prepare({ host: backup.host, ...login })
  yield* Cluster.apply(upstream.host)
  return { upstream, backup }
})

const settingsOf = (upstream: string, backup: string) => ({
  MUTATING_WEBHOOK: "on",
  BACKUP_REGISTRY: `${backup}/${prefix}`,
  PLAIN_HTTP_REGISTRIES: `${upstream},${backup}`
})

/** Those that are in the backup, each once. */
const copiesOf = (images: ReadonlyArray<string>, backup: string): ReadonlyArray<string> =>
  [...new Set(images)].filter((it) => it.startsWith(`${backup}/${prefix}/`)).toSorted()

const rewritten = (looks: ReadonlyArray<Cluster.Look>, backup: string): boolean =>
  looks.every(({ images, manifest }) =>
    manifest.namespace === Scene.untouched || images.every((it) => it.startsWith(`${backup}/${prefix}/`))
  )

/** The rewritten ones run; the untouched one cannot, because its image is gone. */
const survived = (looks: ReadonlyArray<Cluster.Look>): boolean =>
  looks.every((it) =>
    it.manifest.namespace === Scene.untouched
      ? it.ready === 0 && /ImagePull/.test(it.problem)
      : it.ready === it.wanted && it.problem === ""
  )

/** What to type in another shell: with this, what README.md shows works as it stands there. */
const invitation = ({ controlPlane, node, program }: DemoOptions, url: string, docker: string): string => `
Everything stays up until you press Ctrl-C.
The controller answers at ${url}/

In another shell:

  export KUBECONFIG=${controlPlane.kubeconfigFile} DOCKER_CONFIG=${docker}
  image-cloner() { ${node} ${program} "$@"; }

  image-cloner plan
  image-cloner explain deploy/web -n shop --url ${url}
  image-cloner verify
  curl ${url}/metrics`

/** What people see when somebody works against the controller, and how they end its work on one workload. */
const disputes = Effect.fnUntraced(function*(
  shell: ProgramCall.ProgramShell,
  url: string,
  registries: Screen.Registries
) {
  const say = (text: string) => Screen.say(registries, text)
  const type = Effect.fnUntraced(function*(words: ReadonlyArray<string>, silent: ReadonlyArray<string> = []) {
    yield* Console.log(`$ image-cloner ${words.join(" ")}`)
    yield* say(yield* ProgramCall.call(shell, [...words, ...silent]))
  })

  yield* Screen.headline(`${Fight.opponent} sets an image back whenever it is rewritten: ours yields`)
  const { mark, round } = yield* Fight.fight(`${registries.source}/acme/signed:1.0`)
  yield* say(`after ${round} times, ${Cluster.nameOf(Fight.about)} has image-cloner.io/held:\n${mark}`)
  yield* type(["explain", Cluster.nameOf(Fight.about)], ["--url", url])

  yield* Screen.headline("A person asks about a workload, and puts its images back")
  yield* type(["explain", Cluster.nameOf(restored)], ["--url", url])
  yield* type(["restore", Cluster.nameOf(restored)])
  const back = yield* Cluster.imagesNow(restored)
  if (!back.every((it) => it.startsWith(`${registries.source}/`))) {
    return yield* new Cluster.DemoFailed({ what: `${Cluster.nameOf(restored)} has ${back.join(", ")}` })
  }
  yield* say(`${Cluster.nameOf(restored)} has ${back.join(", ")}`)
})

export const demo = Effect.fnUntraced(function*(options: DemoOptions) {
  const { controlPlane } = options
  const started = yield* Clock.currentTimeMillis
  yield* Console.log(`The cluster is ${controlPlane.description}.`)
  const { backup, upstream } = yield* build
  const kubelet = yield* Kubelet.make({ bind: !controlPlane.hasScheduler })
  const registries = { source: upstream.host, backup: `${backup.host}/${prefix}` }
  const short = Screen.short(registries)
  const say = (text: string) => Screen.say(registries, text)
  yield* Console.log(
    `Below, PUBLIC is the registry at ${upstream.host}, and BACKUP what is copied to\n${backup.host}/${prefix}.`
  )

  yield* Screen.headline("Workloads run images of the public registry")
  const looking = Cluster.look(upstream.host)
  yield* Cluster.waitFor("not all pods became ready", Effect.map(looking, Cluster.settled), "30 seconds")
  const before = yield* looking
  yield* Console.log(Cluster.print(before, short))

  yield* Screen.headline("A public tag moves: the pod that runs, and one made anew, would differ")
  yield* MovedTag.move(upstream)
  yield* Console.log(MovedTag.print(yield* MovedTag.see(upstream), short))

  yield* Screen.headline("The controller copies the images and rewrites the workloads")
  const complaints = yield* Ref.make<ReadonlyArray<string>>([])
  const settings = settingsOf(upstream.host, backup.host)
  yield* Cluster.configure(settings)
  yield* AdmittedPod.prepare
  const daemon = yield* Daemon.start({
    webhookPort: yield* AdmittedPod.freePort,
    program: options.program,
    node: options.node,
    kubeconfig: controlPlane.kubeconfig,
    settings,
    dockerConfig: JSON.stringify({
      auths: { [backup.host]: { auth: Buffer.from(`${login.username}:${login.password}`).toString("base64") } }
    }),
    say: (level, text) =>
      Effect.andThen(
        say(`   ${level === "info" ? "" : `${level}: `}${text}`),
        level === "error" ? Ref.update(complaints, (all) => [...all, text]) : Effect.void
      )
  })
  yield* Cluster.waitFor(
    "not all workloads were rewritten and rolled out",
    Effect.map(looking, (looks) => rewritten(looks, backup.host) && Cluster.settled(looks)),
    "60 seconds"
  )
  const after = yield* looking
  yield* Console.log(`\n${Cluster.print(after, short)}`)

  yield* Screen.headline("The moved tag has changed nothing: what runs was copied, and is pinned")
  const pinned = yield* MovedTag.see(upstream)
  if (!MovedTag.isPinned(pinned)) return yield* new Cluster.DemoFailed({ what: "what ran was not pinned" })
  yield* Console.log(MovedTag.print(pinned, short))

  yield* Screen.headline("A pod is made: the webhook gives it its copy before it starts")
  yield* Cluster.waitFor("the webhook was not switched on", AdmittedPod.isOn, "30 seconds")
  const pod = yield* AdmittedPod.make(`${upstream.host}/library/web:1.27`)
  yield* Console.log(AdmittedPod.print(short(pod.asked), short(pod.stored)))
  if (copiesOf([pod.stored], backup.host).length === 0) {
    return yield* new Cluster.DemoFailed({ what: "the webhook did not give the pod its copy" })
  }
  yield* AdmittedPod.remove
  // with it on, what others manage is left to it, and nobody would fight over a template
  yield* daemon.set("MUTATING_WEBHOOK", "off")
  yield* Cluster.reconfigure("MUTATING_WEBHOOK", "off")
  yield* Cluster.waitFor("the webhook was not switched off", AdmittedPod.isOff, "30 seconds")

  yield* Screen.headline("The public registry and the node's images vanish, and every pod is deleted")
  yield* upstream.switchOff
  yield* kubelet.puller.prune
  yield* Cluster.deletePods(upstream.host)
  yield* Cluster.waitFor(
    "the rewritten workloads did not come back",
    Effect.map(looking, survived),
    "60 seconds"
  )
  yield* Console.log(Cluster.print(yield* looking, short))

  yield* Screen.headline("Every copy is pulled whole from the backup, and each blob hashed")
  const copies = copiesOf(after.flatMap((it) => it.images), backup.host)
  const walked = yield* Effect.forEach(copies, (image) => walk(image, login))
  yield* Console.log(table(
    ["COPY", "MANIFESTS", "BLOBS", "BYTES"],
    walked.map((it) => [short(it.image), String(it.manifests), String(it.blobs), String(it.bytes)])
  ))
  yield* upstream.switchOn

  const shell = {
    node: options.node,
    program: options.program,
    kubeconfigFile: controlPlane.kubeconfigFile,
    docker: daemon.docker
  }
  const url = yield* daemon.url
  yield* disputes(shell, url, registries)

  const errors = yield* Ref.get(complaints)
  if (errors.length > 0) return yield* new Cluster.DemoFailed({ what: errors.join("; ") })
  const seconds = ((yield* Clock.currentTimeMillis) - started) / 1000
  yield* Console.log(
    `\n${copies.length} images backed up, ${before.length - 1} workloads rewritten, 1 untouched, in ${
      seconds.toFixed(1)
    } s.`
  )
  if (!options.stay) return
  yield* Console.log(invitation(options, url, daemon.docker))
  return yield* Effect.never
}, Effect.scoped)
