// CloudHints: what a cloud's refusal means and who can mend it. The texts are the clouds' own; the first that fits speaks.
// Sources: AWS "Troubleshoot access denied error messages", Google's Artifact Registry and Entra's AADSTS references.

const hints: ReadonlyArray<readonly [text: RegExp, hint: string]> = [
  // before what is said beside it, "is not authorized to perform": whoever gives the right, it stays denied
  [/with an explicit deny/i, "A policy denies this action explicitly; no permission of ours can change that"],
  [
    /not authorized to perform:? sts:AssumeRoleWithWebIdentity/i,
    "The role's trust policy does not take our ServiceAccount: its `sub` must be "
    + "system:serviceaccount:NAMESPACE:NAME and its `aud` sts.amazonaws.com"
  ],
  [
    /not authorized to perform:? sts:AssumeRole\b/i,
    "The role's trust policy must name our own role (and the external id, where it asks for one), and our role must be "
    + "allowed sts:AssumeRole on it"
  ],
  [
    /no resource-based policy allows/i,
    "The registry is another account's: the policy of its repository (or of its registry) must allow this action to us"
  ],
  [
    /(?:no (?:identity|permissions boundary|session)[a-z-]*(?: policy)? allows|is not authorized to perform)/i,
    "The IAM policy of our role lacks this action"
  ],
  [
    /Could not load credentials from any providers/i,
    "There is no identity here: with IRSA the ServiceAccount is annotated with eks.amazonaws.com/role-arn, with EKS Pod "
    + "Identity there is an association for it (and the token file has no newline at its end); pods that are older than that "
    + "must be started anew"
  ],
  [/Region is missing/i, "ECR_DOMAINS must name the registry's region"],
  [
    /signature.*expired|clock skew|RequestTimeTooSkewed|not yet (?:valid|current)/i,
    "The clock of this machine is off"
  ],
  [
    /artifactregistry\.repositories\.uploadArtifacts/i,
    "The service account lacks the role artifactregistry.writer, or there is no such repository"
  ],
  [
    /artifactregistry\.repositories\.downloadArtifacts/i,
    "The service account lacks the role artifactregistry.reader, or there is no such repository"
  ],
  [/^no answer in \d+ seconds$/, "A policy for egress, or a proxy, may be in the way"],
  [
    /the metadata service does not answer/i,
    "There is no identity here, or a policy for egress forbids to ask for it (169.254.169.254): the pod needs its cloud's workload "
    + "identity, or config.json a login for the registry"
  ],
  [
    /iam\.serviceAccounts\.getAccessToken/i,
    "The service account of Google must give roles/iam.workloadIdentityUser to our ServiceAccount, which is annotated with "
    + "iam.gke.io/gcp-service-account"
  ],
  [
    /\b(?:AADSTS70021|AADSTS70021[123])\b/,
    "The federated credential's issuer, subject or audience is not that of our ServiceAccount "
    + "(system:serviceaccount:NAMESPACE:NAME, api://AzureADTokenExchange)"
  ],
  [/AADSTS700016/, "AZURE_CLIENT_ID is no identity of that tenant: the ServiceAccount's annotation names another"],
  [
    /Identity not found/i,
    "There is no identity here: with AKS workload identity the ServiceAccount is annotated with "
    + "azure.workload.identity/client-id and the pod is labelled azure.workload.identity/use; nodes have one if it is assigned"
  ],
  [
    /token validation failed/i,
    "The registry takes no ARM tokens (azureADAuthenticationAsArmPolicy), or a role is missing"
  ]
]

/** What to do about a cloud's words, as a sentence without its full stop; undefined where they say it all. */
export const hintOf = (text: string): string | undefined => hints.find(([pattern]) => pattern.test(text))?.[1]
