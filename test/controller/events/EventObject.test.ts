import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { countEvent, createEvent, eventName, withinBytes } from "../../../src/controller/events/EventObject.ts"
import type { Regarding, ToldEvent } from "../../../src/controller/events/EventOf.ts"
import { unfit } from "../../../src/http/UnfitText.ts"

const regarding: Regarding = { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web", uid: "u-1" }
const event: ToldEvent = {
  regarding,
  type: "Warning",
  reason: "Held",
  action: "Rewriting",
  note: "refused: a policy",
  cause: "refused"
}
const moment = { name: "web.1", instance: "image-cloner-0", now: Date.UTC(2026, 10, 28, 7, 0, 0, 5) }

describe("an Event", () => {
  it("is what events.k8s.io/v1 takes", () => {
    assert.deepStrictEqual(createEvent(event, moment), {
      method: "POST",
      path: "/apis/events.k8s.io/v1/namespaces/shop/events",
      query: { fieldManager: "image-cloner-controller", fieldValidation: "Strict" },
      body: {
        apiVersion: "events.k8s.io/v1",
        kind: "Event",
        metadata: { name: "web.1", namespace: "shop" },
        eventTime: "2026-11-28T07:00:00.005000Z",
        type: "Warning",
        reason: "Held",
        action: "Rewriting",
        note: "refused: a policy",
        regarding,
        reportingController: "image-cloner.io/controller",
        reportingInstance: "image-cloner-0"
      },
      once: true
    })
  })

  it("has no uid where none is known", () => {
    const body = createEvent({ ...event, regarding: { ...regarding, uid: undefined } }, moment).body
    assert.notProperty((body as { readonly regarding: object }).regarding, "uid") // as it was just made
  })

  it("is counted by a patch of its series alone", () => {
    assert.deepInclude(countEvent(event, moment, 7), {
      method: "PATCH",
      path: "/apis/events.k8s.io/v1/namespaces/shop/events/web.1",
      contentType: "application/merge-patch+json",
      body: { series: { count: 7, lastObservedTime: "2026-11-28T07:00:00.005000Z" } }
    })
  })

  it.prop("has a time with six digits of fraction, whenever it is", [
    Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4_000_000_000_000 }))
  ], ([millis]) => {
    const { body } = createEvent(event, { ...moment, now: millis })
    const { eventTime } = body as { readonly eventTime: string } // as it was just made
    assert.match(eventTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    assert.strictEqual(Date.parse(eventTime), millis)
  })

  it.prop("has a name that the API server takes, whatever the object is called", [
    Schema.String.check(
      Schema.isPattern(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?){0,3}$/)
    ),
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4_000_000_000_000 }))
  ], ([name, millis]) => {
    const called = eventName({ ...regarding, name }, BigInt(millis) * 1_000_000n)
    assert.isAtMost(called.length, 253)
    assert.match(called, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
  })

  it.prop("has a note of one line and 1024 bytes at most, cut between characters", [
    Schema.String,
    Schema.Int.check(
      Schema.isBetween({ minimum: 1, maximum: 400 })
    )
  ], ([text, times]) => {
    const note = withinBytes(text.repeat(times), 1024)
    assert.isAtMost(Buffer.byteLength(note), 1024)
    assert.strictEqual(note.search(unfit), -1)
    assert.strictEqual(Buffer.from(note).toString(), note.toWellFormed())
  })
})
