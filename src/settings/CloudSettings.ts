// CloudSettings: the settings of cloud identities, a part of Settings.ts. Edge: which hosts are a cloud's is
// image/CloudNames.ts, what these texts come to is registry/identity/CloudOptions.ts.
import { Result, Schema } from "effect"
import { cloudOf } from "../image/CloudNames.ts"
import { canonicalRegistry } from "../image/ImageReference.ts"
import { encryption, policy, tag } from "./EcrValues.ts"
import { boolean, fromText, list, oneOf, quote, setting } from "./SettingTypes.ts"

/** Clouds whose identities can be used. */
const clouds = ["aws", "google", "azure"] as const

const identities = fromText(
  Schema.Array(Schema.Literals(clouds)),
  (text) => {
    if (text === "off") return Result.succeed([])
    const names = text.split(",").map((it) => it.trim()).filter((it) => it !== "")
    const known = clouds.filter((it) => names.includes(it))
    return known.length === new Set(names).size ? Result.succeed(known) : Result.fail(`${quote(text)} is not allowed`)
  },
  (value) => value.length === 0 ? "off" : value.join(",")
)

const hostShape = /^(?=.{1,260}$)[a-z0-9*?-]+(?:\.[a-z0-9*?-]+)*(?::\d{1,5})?$/

const hostPattern = (text: string): Result.Result<string, string> =>
  hostShape.test(text.toLowerCase())
    ? Result.succeed(text.toLowerCase())
    : Result.fail(`${quote(text)} is no host, nor one with wildcards such as *.example.com`)

const regionShape = /^[a-z]{2,5}(?:-[a-z]+)+-\d{1,2}$/

const domain = (text: string): Result.Result<string, string> => {
  const [host = "", region = "", ...more] = text.split("=").map((it) => it.trim())
  return regionShape.test(region) && more.length === 0
    ? Result.map(canonicalRegistry(host), (it) => `${it}=${region}`)
    : Result.fail(`${quote(text)} is not host=region, such as registry.example.com=eu-west-1`)
}

/** A host of the owner's, and the name by which its cloud knows the registry behind it. */
const standIn = (text: string): Result.Result<string, string> => {
  const [host = "", registry = "", ...more] = text.split("=").map((it) => it.trim().toLowerCase())
  return cloudOf(registry) !== undefined && more.length === 0
    ? Result.map(canonicalRegistry(host), (it) => `${it}=${registry}`)
    : Result.fail(`${quote(text)} is not host=registry of a cloud, such as registry.example.com=example.azurecr.io`)
}

/** An ARN of IAM (no comma, which parts the entries of a list), and an external id as STS takes it. */
const roleShape = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=.@/-]{1,512}(?:#[\w+=.@:/-]{2,1224})?$/

const role = (text: string): Result.Result<string, string> => {
  const at = text.indexOf("=")
  const given = text.slice(at + 1).trim()
  return at > 0 && roleShape.test(given)
    ? Result.map(hostPattern(text.slice(0, at).trim()), (host) => `${host}=${given}`)
    : Result.fail(`${quote(text)} is not host=arn:aws:iam::ACCOUNT:role/NAME, with #EXTERNAL-ID behind it if wanted`)
}

export const cloudSettings = {
  CLOUD_IDENTITIES: setting(identities, clouds, {
    description: "Clouds whose identity the controller's pod may use to log in to the backup, where `config.json` has "
      + "nothing for its host. `aws`: hosts of ECR and ECR Public, by IRSA, EKS Pod Identity, or whatever else the AWS SDK "
      + "finds. `google`: Artifact Registry and Container Registry, by GKE's workload identity, the node's service account, or "
      + "`GOOGLE_APPLICATION_CREDENTIALS`. `azure`: Container Registry, by AKS's workload identity or the node's managed identity.",
    allowed: "`aws`, `google`, `azure`, comma separated, or `off` for none"
  }),
  CLOUD_IDENTITY_SOURCES: setting(list(hostPattern), [], {
    description:
      "Sources that may be asked with the cloud's identity too, such as `public.ecr.aws`, which lets in more "
      + "often who is known. As with every login of a source, only images that are public; `image-cloner clone` by hand "
      + "copies others too.",
    allowed: "hosts, `*` and `?` within a label if wanted, comma separated"
  }),
  CLOUD_DOMAINS: setting(list(standIn), [], {
    description:
      "Hosts of yours that stand for a cloud's registry (an own domain, a reverse proxy, a name of Private Link), each "
      + "with that registry's own name, which says what it is logged in to with, and how blobs are sent there. Its token server "
      + "at that name is shown the login, as if `TRUSTED_TOKEN_SERVERS` said so. Of a host that `ECR_DOMAINS` names too, that counts.",
    allowed: "`host=registry`, such as `registry.example.com=example.azurecr.io`, comma separated"
  }),
  ECR_DOMAINS: setting(list(domain), [], {
    description: "Registries that are ECR's under another name, own domains and VPC endpoints, with their regions.",
    allowed: "`host=region`, comma separated"
  }),
  ECR_ROLES: setting(list(role), [], {
    description:
      "Roles that are assumed (sts:AssumeRole) for registries of ECR, for those of other accounts. The first "
      + "that fits counts; an external id may follow.",
    allowed:
      "`host=arn:aws:iam::ACCOUNT:role/NAME` or `host=arn:…#EXTERNAL-ID`, wildcards in the host if wanted, comma separated"
  }),
  ECR_CREATE_REPOSITORIES: setting(boolean, true, {
    description:
      "Repositories of a backup in ECR are created when the first blob is to be put into them, below the backup's "
      + "prefix. Those that are there are never changed.",
    allowed: "`true` or `false`"
  }),
  ECR_TAGS: setting(list(tag), [], {
    description: "Tags that new repositories get; takes ecr:TagResource.",
    allowed: "`key=value`, comma separated, 50 at most"
  }),
  ECR_ENCRYPTION: setting(encryption, "", {
    description: "How new repositories are encrypted, for good. Empty: as ECR does by itself.",
    allowed: "`AES256`, `KMS` or `KMS_DSSE`, the last two with `=` and the key's ARN, id or alias if wanted"
  }),
  ECR_MUTABILITY: setting(oneOf(["MUTABLE", "IMMUTABLE"]), "MUTABLE", {
    description:
      "Whether tags of new repositories can move. With `IMMUTABLE` the copy of a tag stays what it was first; what "
      + "the source's tag becomes later is not backed up under it.",
    allowed: "`MUTABLE` or `IMMUTABLE`"
  }),
  ECR_SCAN_ON_PUSH: setting(boolean, false, {
    description: "Whether images are scanned as they come into new repositories.",
    allowed: "`true` or `false`"
  }),
  ECR_LIFECYCLE_POLICY: setting(policy("rules"), "", {
    description:
      "ECR's lifecycle policy for new repositories; takes ecr:PutLifecyclePolicy. One that can delete images with "
      + "tags deletes copies that pods may need: it is warned of.",
    allowed: "a JSON object with `rules`"
  }),
  ECR_REPOSITORY_POLICY: setting(policy("Statement"), "", {
    description: "The policy of new repositories, such as who else may pull; takes ecr:SetRepositoryPolicy.",
    allowed: "a JSON object with `Statement`"
  })
}
