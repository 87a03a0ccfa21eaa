// What the settings of cloud identities take, and what they refuse with a reason.
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { decode } from "../../src/settings/Settings.ts"

const problemOf = (key: string, text: string): string =>
  Result.match(decode({ BACKUP_REGISTRY: "a.b/c", [key]: text }), {
    onSuccess: () => "",
    onFailure: ({ problems }) => problems.map((it) => `${it.key}: ${it.problem}`).join()
  })

describe("the settings of cloud identities", () => {
  it.each([
    ["CLOUD_IDENTITIES", "gcp"],
    ["CLOUD_IDENTITIES", "aws,off"],
    ["CLOUD_IDENTITY_SOURCES", "public.ecr.aws/nginx"],
    ["CLOUD_IDENTITY_SOURCES", "https://public.ecr.aws"],
    ["CLOUD_IDENTITY_SOURCES", "a..b"],
    ["CLOUD_DOMAINS", "registry.example"],
    ["CLOUD_DOMAINS", "registry.example=gar"],
    ["CLOUD_DOMAINS", "registry.example=other.example"],
    ["CLOUD_DOMAINS", "registry.example=example.azurecr.io.evil.com"],
    ["CLOUD_DOMAINS", "registry.example=example.azurecr.io=x"],
    ["CLOUD_DOMAINS", "registry.example/path=example.azurecr.io"],
    ["CLOUD_DOMAINS", "*.example=example.azurecr.io"],
    ["ECR_DOMAINS", "registry.example"],
    ["ECR_DOMAINS", "registry.example=everywhere"],
    ["ECR_DOMAINS", "registry.example/path=eu-west-1"],
    ["ECR_DOMAINS", "*.example=eu-west-1"],
    ["ECR_ROLES", "arn:aws:iam::123456789012:role/a"],
    ["ECR_ROLES", "registry.example=role/a"],
    ["ECR_ROLES", "registry.example=arn:aws:iam::1234:role/a"],
    ["ECR_ROLES", "registry.example=arn:aws:iam::123456789012:user/a"],
    ["ECR_ROLES", "registry.example=arn:aws:iam::123456789012:role/a#"],
    ["ECR_TAGS", "team"],
    ["ECR_TAGS", "aws:team=a"],
    ["ECR_TAGS", "a{b}=c"],
    ["ECR_ENCRYPTION", "AES256=key"],
    ["ECR_ENCRYPTION", "kms"],
    ["ECR_ENCRYPTION", "KMS="],
    ["ECR_MUTABILITY", "mutable"],
    ["ECR_LIFECYCLE_POLICY", "{"],
    ["ECR_LIFECYCLE_POLICY", "[]"],
    ["ECR_LIFECYCLE_POLICY", "{\"Statement\":[]}"],
    ["ECR_REPOSITORY_POLICY", "\"Statement\""],
    ["ECR_ROLES", "a/b=arn:aws:iam::123456789012:role/a"]
  ])("%s refuses %s", (key, text) => {
    assert.match(problemOf(key, text), new RegExp(`^${key}: .*allowed is`))
  })

  it.each([
    ["CLOUD_IDENTITIES", " aws "],
    ["CLOUD_IDENTITIES", "azure, google"],
    ["CLOUD_IDENTITY_SOURCES", "public.ecr.aws,*.gcr.io"],
    ["CLOUD_DOMAINS", "registry.example=europe-docker.pkg.dev, other.example:5000 = Example.azurecr.io"],
    ["CLOUD_DOMAINS", "third.example=123456789012.dkr.ecr.eu-west-1.amazonaws.com,fourth.example=public.ecr.aws"],
    ["ECR_DOMAINS", "[::1]:5000=us-gov-west-1, 127.0.0.1:4577=us-iso-east-1"],
    ["ECR_ROLES", "*.dkr.ecr.*.amazonaws.com.cn = arn:aws-cn:iam::123456789012:role/path/Name_1+=.@-"],
    ["ECR_TAGS", "Team=a/b, Kosten Stelle=é"],
    ["ECR_ENCRYPTION", "KMS=arn:aws:kms:eu-west-1:123456789012:key/0a-1b"],
    ["ECR_ENCRYPTION", "KMS_DSSE"],
    ["ECR_ENCRYPTION", "AES256"]
  ])("%s takes %s", (key, text) => {
    assert.strictEqual(problemOf(key, text), "")
  })
})
