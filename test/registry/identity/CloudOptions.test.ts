// What the settings of cloud identities come to, host by host.
import { assert, describe, it } from "@effect/vitest"
import { cloudNameOf, cloudOptionsOf, hostIn, roleFor } from "../../../src/registry/identity/CloudOptions.ts"
import { type Settings, settingsOf } from "../../../src/settings/Settings.ts"

const of = (more: Partial<Settings> = {}) => cloudOptionsOf(settingsOf("a.b/c", more))
const ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"

describe("the options of cloud identities", () => {
  it("know the hosts of clouds that are on, and no others", () => {
    assert.strictEqual(hostIn(of(), ecr)?.cloud, "aws")
    assert.strictEqual(hostIn(of(), "example.azurecr.io")?.cloud, "azure")
    assert.strictEqual(hostIn(of(), "europe-docker.pkg.dev")?.cloud, "google")
    assert.isUndefined(hostIn(of({ CLOUD_IDENTITIES: ["aws"] }), "example.azurecr.io"))
    assert.isUndefined(hostIn(of({ CLOUD_IDENTITIES: [] }), ecr))
  })

  it("know own domains by their regions, port and all", () => {
    const options = of({ ECR_DOMAINS: ["registry.example:5000=eu-west-1"] })
    assert.deepStrictEqual(hostIn(options, "registry.example:5000"), {
      cloud: "aws",
      kind: "private",
      account: undefined,
      region: "eu-west-1",
      fips: false,
      dualStack: false
    })
    assert.isUndefined(hostIn(options, "registry.example"))
    assert.isUndefined(
      hostIn(of({ CLOUD_IDENTITIES: [], ECR_DOMAINS: ["registry.example=eu-west-1"] }), "registry.example")
    )
  })

  it("know what a host of the owner's stands for, where its cloud is on and nowhere else", () => {
    const options = of({
      CLOUD_DOMAINS: [
        "acr.example=example.azurecr.io",
        "gar.example:8443=europe-docker.pkg.dev",
        `ecr.example=${ecr}`,
        `both.example=${ecr}`
      ],
      ECR_DOMAINS: ["both.example=us-east-1"],
      CLOUD_IDENTITIES: ["aws", "google"]
    })
    assert.deepStrictEqual(hostIn(options, "ecr.example"), hostIn(options, ecr))
    assert.strictEqual(hostIn(options, "gar.example:8443")?.cloud, "google")
    assert.deepInclude(hostIn(options, "both.example"), { region: "us-east-1", account: undefined })
    for (const host of ["acr.example", "gar.example", "x.ecr.example", "example"]) {
      assert.isUndefined(hostIn(options, host), host)
    }
    assert.deepStrictEqual(["acr.example", "other.example", ecr].map((it) => cloudNameOf(options, it)), [
      "example.azurecr.io",
      "other.example",
      ecr
    ])
  })

  it("give the role of a registry by its own name and by that which stands for it", () => {
    const arn = "arn:aws:iam::123456789012:role/a"
    const role = (host: string) =>
      roleFor(of({ CLOUD_DOMAINS: [`ecr.example=${ecr}`], ECR_ROLES: [`${host}=${arn}`] }), "ecr.example")
    assert.strictEqual(role("ecr.example")?.arn, arn)
    assert.strictEqual(role(ecr)?.arn, arn)
    assert.isUndefined(role("other.example"))
  })

  it("give the role of the first pattern that fits", () => {
    const options = of({
      ECR_ROLES: [
        `${ecr}=arn:aws:iam::123456789012:role/a#id=1`,
        "*.dkr.ecr.*.amazonaws.com=arn:aws:iam::210987654321:role/b"
      ]
    })
    assert.deepInclude(roleFor(options, ecr), { arn: "arn:aws:iam::123456789012:role/a", externalId: "id=1" })
    assert.deepInclude(roleFor(options, ecr.replace("1", "2")), {
      arn: "arn:aws:iam::210987654321:role/b",
      externalId: undefined
    })
    assert.isUndefined(roleFor(options, "public.ecr.aws"))
  })
})
