// Which names are a cloud's: whole names, and nothing that only begins or ends like one.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { cloudHostOf, ecrHostOf } from "../../../src/registry/identity/CloudHosts.ts"

const ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"

describe("a host of ECR", () => {
  it.each<[string, string, boolean, boolean]>([
    [ecr, "eu-west-1", false, false],
    ["123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", false, false],
    ["123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", true, false],
    ["123456789012.dkr-ecr.us-east-1.on.aws", "us-east-1", false, true],
    ["123456789012.dkr-ecr-fips.us-east-1.on.aws", "us-east-1", true, true],
    [
      "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
      "cn-north-1",
      false,
      true
    ],
    ["123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", false, false],
    ["123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1", false, false],
    ["123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1", false, false],
    ["123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1", false, false],
    ["123456789012.dkr.ecr.us-isof-east-1.csp.hci.ic.gov", "us-isof-east-1", false, false]
  ])("%s is in %s, FIPS %s, dual stack %s", (host, region, fips, dualStack) => {
    assert.deepStrictEqual(cloudHostOf(host), {
      cloud: "aws",
      kind: "private",
      account: "123456789012",
      region,
      fips,
      dualStack
    })
  })
})

describe("a host", () => {
  it.each([
    ["public.ecr.aws", "aws"],
    ["ecr-public.aws.com", "aws"],
    ["gcr.io", "google"],
    ["eu.gcr.io", "google"],
    ["marketplace.eu.gcr.io", "google"],
    ["europe-west3-docker.pkg.dev", "google"],
    ["docker.s3nsregistry.fr", "google"],
    ["example.azurecr.io", "azure"],
    ["example-ab12.westeurope.geo.azurecr.io", "azure"],
    ["example.azurecr.cn", "azure"]
  ])("%s is %s's", (host, cloud) => {
    assert.strictEqual(cloudHostOf(host)?.cloud, cloud)
  })

  it.each([
    `${ecr}.evil.com`,
    `evil.com.${ecr}`,
    `evil${ecr}`,
    `${ecr}:5000`,
    `${ecr}.`,
    `${ecr}\n`,
    ecr.toUpperCase(),
    "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
    "1234567890123.dkr.ecr.eu-west-1.amazonaws.com",
    "123456789012.dkr.ecr.eu-west-1.evil.amazonaws.com",
    "123456789012.dkr.ecr.eu-west-1.amazonawsXcom",
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil",
    "123456789012xdkr.ecr.eu-west-1.amazonaws.com",
    "123456789012.dkr.ecr..amazonaws.com",
    "api.ecr.eu-west-1.amazonaws.com",
    "vpce-0a.dkr.ecr.eu-west-1.vpce.amazonaws.com",
    "xpublic.ecr.aws",
    "public.ecr.aws.evil.com",
    "evil-azurecr.io",
    "azurecr.io",
    "x.data.azurecr.io",
    "example.westeurope.data.azurecr.io",
    "example.azurecr.io.evil.com",
    "example.azurecr.com",
    "evilgcr.io",
    "gcr.io.evil.com",
    "evil.com/gcr.io",
    "docker.pkg.dev",
    "-docker.pkg.dev",
    "evil.com-docker.pkg.dev.evil.com",
    "a.b-docker.pkg.dev",
    "xdocker.s3nsregistry.fr",
    "docker.io",
    "localhost",
    ""
  ])("%j is nobody's", (host) => {
    assert.isUndefined(cloudHostOf(host))
  })

  it.effect.prop(
    "that has anything behind or before ECR's name is not ECR's",
    { more: Schema.String.check(Schema.isPattern(/^[^\d]+$/)) },
    ({ more }) =>
      Effect.sync(() => {
        assert.isUndefined(ecrHostOf(more === ".cn" ? "" : ecr + more))
        assert.isUndefined(ecrHostOf(more + ecr))
      })
  )
})
