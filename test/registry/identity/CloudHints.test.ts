// What clouds say when they refuse, and what we say of it.
import { assert, describe, it } from "@effect/vitest"
import { CloudError } from "../../../src/registry/identity/CloudError.ts"
import { hintOf } from "../../../src/registry/identity/CloudHints.ts"

describe("a cloud's refusal", () => {
  it.each<[string, RegExp]>([
    ["Not authorized to perform sts:AssumeRoleWithWebIdentity", /trust policy .* `sub` .* `aud` sts\.amazonaws\.com/],
    [
      "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::2:role/c",
      /trust policy must name our own role .*external id/
    ],
    [
      "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: ecr:CreateRepository on resource: * because no "
      + "identity-based policy allows the ecr:CreateRepository action",
      /IAM policy of our role lacks/
    ],
    [
      "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: ecr:InitiateLayerUpload on resource: arn:aws:ecr:x "
      + "because no resource-based policy allows the ecr:InitiateLayerUpload action",
      /another account's/
    ],
    [
      "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: ecr:PutImage on resource: arn:aws:ecr:x "
      + "with an explicit deny in a service control policy",
      /denies this action explicitly/
    ],
    [
      "Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource \"projects/p\" (or it may not exist)",
      /artifactregistry\.reader/
    ],
    ["no answer in 30 seconds", /policy for egress/],
    ["Could not load credentials from any providers", /eks\.amazonaws\.com\/role-arn.*Pod Identity/],
    ["Region is missing", /ECR_DOMAINS/],
    ["Signature not yet current: 20261127T000000Z is still later than 20261126T000000Z", /clock/],
    [
      "Permission \"artifactregistry.repositories.uploadArtifacts\" denied on resource \"projects/p\" (or it may not exist)",
      /artifactregistry\.writer/
    ],
    ["AADSTS70021: No matching federated identity record found", /issuer, subject or audience/],
    ["AADSTS700213: No matching federated identity record found for presented assertion subject", /audience/],
    ["AADSTS700016: Application with identifier 'a' was not found", /AZURE_CLIENT_ID/],
    ["status 400: invalid_request: Identity not found", /azure\.workload\.identity\/client-id/],
    ["Permission 'iam.serviceAccounts.getAccessToken' denied on resource", /roles\/iam\.workloadIdentityUser/],
    ["the metadata service does not answer: connect ECONNREFUSED", /169\.254\.169\.254.*config\.json/],
    ["UNAUTHORIZED: token validation failed", /ARM/]
  ])("%s", (text, hint) => {
    assert.match(hintOf(text) ?? "", hint)
  })

  it("that says it all gets no hint", () => {
    assert.isUndefined(hintOf("Rate exceeded"))
  })

  it("is told on one line with cloud, identity, action and resource", () => {
    const error = new CloudError({
      cloud: "AWS",
      identity: "arn:aws:iam::1:role/a",
      action: "ecr:GetAuthorizationToken",
      resource: "1.dkr.ecr.eu-west-1.amazonaws.com",
      detail: "Region\nis missing",
      retryable: false
    })
    assert.strictEqual(
      error.message,
      "AWS as arn:aws:iam::1:role/a: ecr:GetAuthorizationToken for 1.dkr.ecr.eu-west-1.amazonaws.com: Region is missing"
    )
  })
})
