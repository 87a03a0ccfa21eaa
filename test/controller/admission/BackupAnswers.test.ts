import { assert, describe, it } from "@effect/vitest"
import { BackupAnswers } from "../../../src/controller/admission/BackupAnswers.ts"

const second = 1000

describe("whether the backup may be counted on", () => {
  it("is not known before it has answered", () => {
    assert.strictEqual(new BackupAnswers().fails(0), "the backup has not been asked yet")
  })

  it("lasts a minute after its last answer", () => {
    const answers = new BackupAnswers()
    answers.answered(0)
    assert.isUndefined(answers.fails(60 * second))
    assert.strictEqual(answers.fails(61 * second), "the backup has not answered for 61 s")
  })

  it("ends once it has failed for half a minute, counted from when the first attempt began", () => {
    const answers = new BackupAnswers()
    answers.answered(0)
    answers.failed(5 * second, "401")
    answers.failed(20 * second, "403 denied")
    assert.isUndefined(answers.fails(34 * second))
    assert.strictEqual(answers.fails(35 * second), "the backup has failed for 30 s: 403 denied")
  })

  it("begins again with one answer", () => {
    const answers = new BackupAnswers()
    answers.failed(0, "no connection")
    assert.isDefined(answers.fails(40 * second))
    answers.answered(41 * second)
    assert.isUndefined(answers.fails(41 * second))
    answers.failed(50 * second, "no connection")
    assert.isUndefined(answers.fails(79 * second))
  })
})
