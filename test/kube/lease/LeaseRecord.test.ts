import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { decode, encode, isSame, type LeaseRecord, newLease } from "../../../src/kube/lease/LeaseRecord.ts"

const record: LeaseRecord = {
  holder: "a_1",
  durationSeconds: 15,
  acquireTime: "2026-01-02T03:04:05.000000Z",
  renewTime: "2026-01-02T03:04:07.000000Z",
  transitions: 3
}
const where = { namespace: "image-cloner", name: "image-cloner" }
const object = (spec: unknown) => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { ...where, uid: "u", resourceVersion: "7", labels: { team: "x" }, annotations: { note: "y" } },
  ...(spec === undefined ? {} : { spec })
})

describe("decode", () => {
  it("reads the record", () => {
    assert.deepStrictEqual(decode({ ...newLease(where, record), metadata: { resourceVersion: "7" } })?.record, record)
  })

  it("takes what is missing for nobody's", () => {
    const nobody = { holder: "", durationSeconds: 0, acquireTime: undefined, renewTime: undefined, transitions: 0 }
    const nulls = { holderIdentity: null, leaseDurationSeconds: null, acquireTime: null, renewTime: null }
    for (const spec of [undefined, null, {}, nulls]) assert.deepStrictEqual(decode(object(spec))?.record, nobody)
  })

  it("takes nothing else for a Lease", () => {
    const wrong = [
      undefined,
      null,
      "Lease",
      [],
      {},
      { ...object({}), kind: "Status" },
      { ...object({}), metadata: {} },
      { ...object({}), metadata: { resourceVersion: "" } },
      object({ holderIdentity: 5 }),
      object({ leaseDurationSeconds: "15" })
    ]
    for (const it of wrong) assert.isUndefined(decode(it), JSON.stringify(it))
  })
})

describe("encode", () => {
  it("changes the record alone", () => {
    const lease = decode(object({ holderIdentity: "b", strategy: "OldestEmulationVersion", preferredHolder: "c" }))
    assert.isDefined(lease)
    const written = encode(lease, record)
    const { spec: _, ...rest }: Readonly<Record<string, unknown>> = written
    assert.deepStrictEqual<unknown>(rest, object(undefined))
    assert.deepStrictEqual(written["spec"], {
      holderIdentity: "a_1",
      leaseDurationSeconds: 15,
      acquireTime: record.acquireTime,
      renewTime: record.renewTime,
      leaseTransitions: 3,
      strategy: "OldestEmulationVersion",
      preferredHolder: "c"
    })
  })

  it.effect.prop(
    "is read as it was written",
    [Schema.Struct({
      holder: Schema.String,
      durationSeconds: Schema.Int,
      acquireTime: Schema.String,
      renewTime: Schema.String,
      transitions: Schema.Int
    })],
    ([some]) =>
      Effect.sync(() => {
        const lease = decode(object({ other: true }))
        assert.isDefined(lease)
        const again = decode(encode(lease, some))
        assert.deepStrictEqual(again?.record, some)
        assert.isTrue(isSame(some, again?.record ?? record))
        assert.strictEqual(again?.spec["other"], true)
      })
  )
})

describe("isSame", () => {
  it("sees every field", () => {
    assert.isTrue(isSame(record, { ...record }))
    for (
      const change of [
        { holder: "b" },
        { durationSeconds: 1 },
        { acquireTime: undefined },
        { renewTime: "" },
        { transitions: 4 }
      ]
    ) assert.isFalse(isSame(record, { ...record, ...change }))
  })
})
