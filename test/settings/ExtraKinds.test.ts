import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { extraName } from "../../src/settings/ExtraKinds.ts"
import { decode, textOf } from "../../src/settings/Settings.ts"

const rollout = "argoproj.io/v1alpha1/Rollout=spec.template.spec"
const read = (text: string) => decode({ BACKUP_REGISTRY: "a.b/c", EXTRA_KINDS: text })

const problemOf = (text: string) =>
  Result.match(read(text), {
    onSuccess: () => "",
    onFailure: ({ problems }) => problems.map((it) => `${it.key}: ${it.problem}`).join()
  })

describe("EXTRA_KINDS", () => {
  it.each([
    [rollout, "Rollout.argoproj.io"],
    ["apps.openshift.io/v1/DeploymentConfig=spec.template.spec", "DeploymentConfig.apps.openshift.io"],
    ["keda.sh/v1alpha1/ScaledJob=spec.jobTargetRef.template.spec", "ScaledJob.keda.sh"],
    ["example.com/v1/Plain=spec", "Plain.example.com"],
    ["example.com/v1/Odd=spec.pod-spec.inner_1", "Odd.example.com"]
  ])("take %s", (text, name) => {
    const settings = Result.getOrThrow(read(text))
    assert.deepStrictEqual(settings.EXTRA_KINDS.map(extraName), [name])
    assert.strictEqual(textOf(settings, "EXTRA_KINDS"), text)
  })

  it.each([
    ["apps/v1/Deployment=spec.template.spec", "kinds of apps/v1 are Kubernetes' own"],
    ["batch/v1/CronJob=spec.jobTemplate.spec.template.spec", "kinds of batch/v1 are Kubernetes' own"],
    ["v1/Pod=spec", "kinds of the core group are Kubernetes' own"],
    ["Rollout=spec.template.spec", "is not group/version/kind=path.to.podspec, such as argoproj.io/"],
    ["argoproj.io/v1alpha1/Rollout", "is not group/version/kind=path.to.podspec"],
    ["argoproj.io/v1alpha1/Rollout=", "is not group/version/kind=path.to.podspec"],
    ["argoproj.io/v1alpha1/Rollout=a=b", "is not group/version/kind=path.to.podspec"],
    ["argoproj.io/v1alpha1/rollouts/x=spec", "is not group/version/kind=path.to.podspec"],
    ["argoproj.io/v1alpha1/rollouts=spec", "\"rollouts\" is no kind, such as Rollout"],
    ["Argo.io/v1alpha1/Rollout=spec", "\"Argo.io\" is no API group"],
    ["argoproj.io/v1_a/Rollout=spec", "\"v1_a\" is no version"],
    ["batch.volcano.sh/v1alpha1/Job=spec.tasks.0.template.spec", "\"0\" is no name of a field"],
    ["batch.volcano.sh/v1alpha1/Job=spec.tasks[0].template.spec", "leads through no list"],
    ["argoproj.io/v1alpha1/Rollout=.spec.template.spec", "\"\" is no name of a field"],
    ["argoproj.io/v1alpha1/Rollout=spec/template/spec", "no name of a field"],
    ["argoproj.io/v1alpha1/Rollout=metadata.annotations", "no pod spec is in metadata"],
    ["argoproj.io/v1alpha1/Rollout=status.template.spec", "no pod spec is in status"],
    [`argoproj.io/v1alpha1/Rollout=${"a.".repeat(20)}a`, "more than 20 fields"],
    [`${rollout},argoproj.io/v1beta1/Rollout=spec.other`, "Rollout.argoproj.io is there twice"],
    [Array.from({ length: 21 }, (_, it) => `a.b/v1/K${it}=spec`).join(), "there are 21 kinds, and at most 20"]
  ])("refuse %s in words", (text, words) => {
    const problem = problemOf(text)
    assert.include(problem, "EXTRA_KINDS: ")
    assert.include(problem, words)
    assert.include(problem, "allowed is `group/version/kind=path.to.podspec`, comma separated")
  })

  it("repeat no long text in a message", () => {
    assert.isBelow(problemOf(`${"x".repeat(10_000)}.io/v1/Kind=spec`).length, 600)
  })
})
