// The registry over TLS, pulled from by the node with the authority it is told to trust.
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Pullers from "../../../sandbox/kubelet/Puller.ts"
import * as EmbeddedRegistry from "../../../sandbox/registry/EmbeddedRegistry.ts"
import * as SampleImage from "../../../sandbox/registry/SampleImage.ts"
import { makeCertificates } from "../../kube/Certificates.ts"

it.live("serves TLS to who trusts its authority, and to nobody else", () =>
  Effect.gen(function*() {
    const { ca, server } = yield* Effect.promise(makeCertificates)
    const registry = yield* EmbeddedRegistry.make({ tls: server })
    assert.match(registry.url, /^https:/)
    yield* registry.load("app", SampleImage.image("app"), "1")
    const image = `${registry.host}/app:1`
    const trusting = yield* Pullers.make({ ca })
    yield* trusting.pull(image, () => [])
    const plain = yield* Pullers.make()
    assert.isFalse((yield* Effect.flip(plain.pull(image, () => []))).denied)
  }))
