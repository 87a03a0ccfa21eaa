import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Result, Schema } from "effect"
import { backup, decode, documentationOf, keys, Settings, settingsOf, textOf } from "../../src/settings/Settings.ts"

const problemsOf = (texts: Record<string, string>) =>
  Result.match(decode(texts), { onSuccess: () => [], onFailure: (error) => error.problems })

// lists hold what a comma-separated text can hold
const plain = (values: ReadonlyArray<string>) => values.map((it) => `n${it.replaceAll(/[^a-z0-9]/g, "")}`.slice(0, 60))

describe("Settings", () => {
  it("have the documented defaults", () => {
    assert.deepStrictEqual(Result.getOrThrow(decode({ BACKUP_REGISTRY: "registry.example/backup" })), {
      BACKUP_REGISTRY: "registry.example/backup",
      MAX_CONCURRENT_RECONCILES: 5,
      NAMESPACES_TO_IGNORE: [],
      NAMESPACES_TO_INCLUDE: [],
      BACKUP_NAMESPACES: [],
      IMAGES_TO_IGNORE: [],
      REWRITE_MODE: "patch",
      MUTATING_WEBHOOK: "off",
      VALIDATING_WEBHOOK: "off",
      BACKUP_DOWN: "skip",
      MAX_CONCURRENT_ROLLOUTS: 3,
      BACKUP_PULL_BY: "auto",
      PULL_SECRET: "",
      BACKUP_LAYOUT: "auto",
      PIN_DIGESTS: false,
      TAG_POLICY: "follow",
      RESYNC_INTERVAL: Duration.hours(6),
      PLAIN_HTTP_REGISTRIES: [],
      PRIVATE_REGISTRIES: [],
      TRUSTED_TOKEN_SERVERS: [],
      COPY_REFERRERS: true,
      RATE_LIMIT_RESERVE: 20,
      MAX_IMAGE_SIZE: undefined,
      MAX_BANDWIDTH: undefined,
      CLONE_TIMEOUT: Duration.hours(4),
      CLOUD_IDENTITIES: ["aws", "google", "azure"],
      CLOUD_IDENTITY_SOURCES: [],
      CLOUD_DOMAINS: [],
      ECR_DOMAINS: [],
      ECR_ROLES: [],
      ECR_CREATE_REPOSITORIES: true,
      ECR_TAGS: [],
      ECR_ENCRYPTION: "",
      ECR_MUTABILITY: "MUTABLE",
      ECR_SCAN_ON_PUSH: false,
      ECR_LIFECYCLE_POLICY: "",
      ECR_REPOSITORY_POLICY: "",
      EXTRA_KINDS: [],
      DRY_RUN: false
    })
  })

  it("take REWRITE_MODE=admission only with the webhook that rewrites", () => {
    const given = { BACKUP_REGISTRY: "registry.example/backup", REWRITE_MODE: "admission" }
    assert.deepStrictEqual(problemsOf(given).map((it) => it.key), ["REWRITE_MODE"])
    assert.deepStrictEqual(problemsOf({ ...given, MUTATING_WEBHOOK: "on" }), [])
  })

  it("read every key from text", () => {
    assert.deepStrictEqual(
      Result.getOrThrow(decode({
        BACKUP_REGISTRY: " registry.example:5000/backup\n",
        MAX_CONCURRENT_RECONCILES: "12",
        NAMESPACES_TO_IGNORE: "one, two,,\nthree",
        NAMESPACES_TO_INCLUDE: "four",
        BACKUP_NAMESPACES: "harbor",
        IMAGES_TO_IGNORE: "docker.io/library/**, *.example/x",
        REWRITE_MODE: "off",
        MUTATING_WEBHOOK: "on",
        VALIDATING_WEBHOOK: "enforce",
        BACKUP_DOWN: "rewrite",
        MAX_CONCURRENT_ROLLOUTS: "1",
        BACKUP_LAYOUT: "flat",
        PIN_DIGESTS: "True",
        TAG_POLICY: "keep",
        RESYNC_INTERVAL: "45m",
        PLAIN_HTTP_REGISTRIES: "Registry.Example:80,[::1]:5000",
        PRIVATE_REGISTRIES: "index.docker.io",
        TRUSTED_TOKEN_SERVERS: "Registry.Example:443 = Auth.Example.NET, [::1]:5000=sso.example:8443",
        COPY_REFERRERS: "false",
        RATE_LIMIT_RESERVE: "35 %",
        MAX_IMAGE_SIZE: "1.5Gi",
        MAX_BANDWIDTH: "50M",
        CLONE_TIMEOUT: "1h30m",
        CLOUD_IDENTITIES: "off",
        CLOUD_IDENTITY_SOURCES: "public.ecr.aws, *.dkr.ecr.EU-west-1.amazonaws.com",
        CLOUD_DOMAINS: "Registry.Example:8443 = Example.azurecr.io",
        ECR_DOMAINS: "Registry.Example:443=eu-west-1",
        ECR_ROLES: "*.dkr.ecr.*.amazonaws.com=arn:aws:iam::123456789012:role/a/b#id:1",
        ECR_CREATE_REPOSITORIES: "false",
        ECR_TAGS: "team=platform, cost centre=a=b,empty=",
        ECR_ENCRYPTION: "KMS=alias/copies",
        ECR_MUTABILITY: "IMMUTABLE",
        ECR_SCAN_ON_PUSH: "true",
        ECR_LIFECYCLE_POLICY: "{\"rules\":[]}",
        ECR_REPOSITORY_POLICY: " {\"Statement\": []}\n",
        EXTRA_KINDS:
          "argoproj.io/v1alpha1/Rollout = spec.template.spec,\napps.kruise.io/v1alpha1/CloneSet=spec.template.spec",
        DRY_RUN: "false"
      })),
      {
        BACKUP_REGISTRY: "registry.example:5000/backup",
        MAX_CONCURRENT_RECONCILES: 12,
        NAMESPACES_TO_IGNORE: ["one", "two", "three"],
        NAMESPACES_TO_INCLUDE: ["four"],
        BACKUP_NAMESPACES: ["harbor"],
        IMAGES_TO_IGNORE: ["docker.io/library/**", "*.example/x"],
        REWRITE_MODE: "off",
        MUTATING_WEBHOOK: "on",
        VALIDATING_WEBHOOK: "enforce",
        BACKUP_DOWN: "rewrite",
        MAX_CONCURRENT_ROLLOUTS: 1,
        BACKUP_PULL_BY: "auto",
        PULL_SECRET: "",
        BACKUP_LAYOUT: "flat",
        PIN_DIGESTS: true,
        TAG_POLICY: "keep",
        RESYNC_INTERVAL: Duration.minutes(45),
        PLAIN_HTTP_REGISTRIES: ["registry.example:80", "[::1]:5000"],
        PRIVATE_REGISTRIES: ["docker.io"],
        TRUSTED_TOKEN_SERVERS: ["registry.example=auth.example.net", "[::1]:5000=sso.example:8443"],
        COPY_REFERRERS: false,
        RATE_LIMIT_RESERVE: 35,
        MAX_IMAGE_SIZE: 1_610_612_736,
        MAX_BANDWIDTH: 50_000_000,
        CLONE_TIMEOUT: Duration.minutes(90),
        CLOUD_IDENTITIES: [],
        CLOUD_IDENTITY_SOURCES: ["public.ecr.aws", "*.dkr.ecr.eu-west-1.amazonaws.com"],
        CLOUD_DOMAINS: ["registry.example:8443=example.azurecr.io"],
        ECR_DOMAINS: ["registry.example=eu-west-1"],
        ECR_ROLES: ["*.dkr.ecr.*.amazonaws.com=arn:aws:iam::123456789012:role/a/b#id:1"],
        ECR_CREATE_REPOSITORIES: false,
        ECR_TAGS: ["team=platform", "cost centre=a=b", "empty="],
        ECR_ENCRYPTION: "KMS=alias/copies",
        ECR_MUTABILITY: "IMMUTABLE",
        ECR_SCAN_ON_PUSH: true,
        ECR_LIFECYCLE_POLICY: "{\"rules\":[]}",
        ECR_REPOSITORY_POLICY: "{\"Statement\": []}",
        EXTRA_KINDS: [
          { group: "argoproj.io", version: "v1alpha1", kind: "Rollout", path: "spec.template.spec" },
          { group: "apps.kruise.io", version: "v1alpha1", kind: "CloneSet", path: "spec.template.spec" }
        ],
        DRY_RUN: false
      }
    )
  })

  it("take an empty text for none", () => {
    assert.deepStrictEqual(
      decode({ BACKUP_REGISTRY: "registry.example/backup", MAX_CONCURRENT_RECONCILES: " ", DRY_RUN: "" }),
      decode({ BACKUP_REGISTRY: "registry.example/backup" })
    )
    assert.deepStrictEqual(problemsOf({ BACKUP_REGISTRY: "\n" }).map((it) => it.key), ["BACKUP_REGISTRY"])
  })

  it("name everything that is wrong at once, with what is allowed", () => {
    const problems = problemsOf({
      BACKUP_REGISTRY: "quay.io",
      MAX_CONCURRENT_RECONCILES: "many",
      MAX_CONCURRENT_ROLLOUTS: "0",
      MAX_CONCURENT_ROLLOUTS: "3",
      REWRITE_MODE: "sometimes",
      NAMESPACES_TO_IGNORE: "fine,Not_Fine",
      PLAIN_HTTP_REGISTRIES: "registry.example/path",
      DRY_RUN: "yes"
    })
    const of = (key: string) => problems.filter((it) => it.key === key).map((it) => it.problem).join()
    assert.lengthOf(problems, 8)
    assert.match(of("BACKUP_REGISTRY"), /prefix is missing.*host\[:port\]\/prefix/)
    assert.strictEqual(of("MAX_CONCURRENT_RECONCILES"), "\"many\" is not allowed; allowed is an integer from 1 to 1000")
    assert.match(of("MAX_CONCURRENT_ROLLOUTS"), /"0" is not allowed/)
    assert.match(of("MAX_CONCURENT_ROLLOUTS"), /no such setting.*MAX_CONCURRENT_ROLLOUTS/)
    assert.strictEqual(of("REWRITE_MODE"), "\"sometimes\" is not allowed; allowed is `patch`, `admission` or `off`")
    assert.match(of("NAMESPACES_TO_IGNORE"), /"Not_Fine" is not the name of a namespace; allowed is names/)
    assert.match(of("PLAIN_HTTP_REGISTRIES"), /registry\.example\/path/)
    assert.match(of("DRY_RUN"), /`true` or `false`/)
  })

  it.each(["x", "x=", "=y", "a.b=c.d=e.f", "a.b=https://c.d", "a.b/c=d.e", "a.b=c.d,e.f"])(
    "refuse %s as a token server",
    (text) => {
      const [problem] = problemsOf({ BACKUP_REGISTRY: "a.b/c", TRUSTED_TOKEN_SERVERS: text })
      assert.strictEqual(problem?.key, "TRUSTED_TOKEN_SERVERS")
      assert.include(problem?.problem, "is not host=realm-host")
    }
  )

  it.each(["0", "-1", "10 GB", "1e9", "5Pi", "many"])("refuse %s as the size of an image", (text) => {
    assert.deepStrictEqual(problemsOf({ BACKUP_REGISTRY: "a.b/c", MAX_IMAGE_SIZE: text }).map((it) => it.key), [
      "MAX_IMAGE_SIZE"
    ])
  })

  it.each(["0", "1", "1M", "1023Ki", "50MB/s", "fast"])("refuse %s as a bandwidth", (text) => {
    assert.deepStrictEqual(problemsOf({ BACKUP_REGISTRY: "a.b/c", MAX_BANDWIDTH: text }).map((it) => it.key), [
      "MAX_BANDWIDTH"
    ])
  })

  it.each(["101%", "-1", "0.2", "a fifth"])("refuse %s as a share", (text) => {
    assert.deepStrictEqual(problemsOf({ BACKUP_REGISTRY: "a.b/c", RATE_LIMIT_RESERVE: text }).map((it) => it.key), [
      "RATE_LIMIT_RESERVE"
    ])
  })

  it.each([["15m", 15], ["45m", 45], ["4h", 240], ["90m", 90], ["0h50m", 50], ["168h", 10_080]] as const)(
    "read %s as %d minutes",
    (text, minutes) => {
      const settings = Result.getOrThrow(decode({ BACKUP_REGISTRY: "a.b/c", CLONE_TIMEOUT: text }))
      assert.strictEqual(Duration.toMinutes(settings.CLONE_TIMEOUT), minutes)
    }
  )

  it.each(["0m", "14m", "4", "1000s", "30m1h", "168h1m", "1.5h", "-1h", "4 h", "forever"])(
    "refuse %s as a time",
    (text) => {
      assert.deepStrictEqual(problemsOf({ BACKUP_REGISTRY: "a.b/c", CLONE_TIMEOUT: text }).map((it) => it.key), [
        "CLONE_TIMEOUT"
      ])
    }
  )

  it("are shown in messages as they are written", () => {
    const settings = settingsOf("a.b/c", { CLONE_TIMEOUT: Duration.minutes(90), NAMESPACES_TO_IGNORE: ["one", "two"] })
    assert.deepStrictEqual(
      (["CLONE_TIMEOUT", "NAMESPACES_TO_IGNORE", "RATE_LIMIT_RESERVE", "MAX_IMAGE_SIZE"] as const).map((key) =>
        textOf(settings, key)
      ),
      ["1h30m", "one,two", "20%", ""]
    )
  })

  it("say that the backup registry is required", () => {
    assert.deepStrictEqual(problemsOf({}), [
      { key: "BACKUP_REGISTRY", problem: "it is required; allowed is `host[:port]/prefix`" }
    ])
  })

  it("do not allow a layout that the backup registry cannot have", () => {
    assert.match(
      problemsOf({ BACKUP_REGISTRY: "docker.io/someone", BACKUP_LAYOUT: "nested" }).map((it) => it.problem).join(),
      /two levels/
    )
    assert.strictEqual(backup(settingsOf("docker.io/someone")).layout, "flat")
  })

  it("never repeat a whole file in a message", () => {
    assert.isBelow(problemsOf({ BACKUP_REGISTRY: "a.b/c", DRY_RUN: "x".repeat(100_000) }).join().length, 1000)
  })

  it.effect.prop(
    "survive being written and read",
    { settings: Schema.toType(Settings) },
    ({ settings }) =>
      Effect.gen(function*() {
        const given: Settings = {
          ...settings,
          BACKUP_REGISTRY: "registry.example/backup",
          // one of the contradictions
          MUTATING_WEBHOOK: settings.REWRITE_MODE === "admission" ? "on" : settings.MUTATING_WEBHOOK,
          MAX_CONCURRENT_RECONCILES: 1 + Math.abs(Math.trunc(settings.MAX_CONCURRENT_RECONCILES)) % 1000,
          MAX_CONCURRENT_ROLLOUTS: 1 + Math.abs(Math.trunc(settings.MAX_CONCURRENT_ROLLOUTS)) % 1000,
          CLONE_TIMEOUT: Duration.minutes(
            15 + (Math.abs(Math.trunc(Duration.toMillis(settings.CLONE_TIMEOUT))) % 10_000 || 0)
          ),
          RESYNC_INTERVAL: Duration.minutes(
            1 + (Math.abs(Math.trunc(Duration.toMillis(settings.RESYNC_INTERVAL))) % 10_000 || 0)
          ),
          PULL_SECRET: settings.PULL_SECRET === "" ? "" : "backup.pull",
          NAMESPACES_TO_IGNORE: plain(settings.NAMESPACES_TO_IGNORE),
          NAMESPACES_TO_INCLUDE: plain(settings.NAMESPACES_TO_INCLUDE),
          BACKUP_NAMESPACES: plain(settings.BACKUP_NAMESPACES),
          IMAGES_TO_IGNORE: plain(settings.IMAGES_TO_IGNORE),
          PLAIN_HTTP_REGISTRIES: plain(settings.PLAIN_HTTP_REGISTRIES).map((it) => `${it}.example`),
          PRIVATE_REGISTRIES: plain(settings.PRIVATE_REGISTRIES).map((it) => `${it}.example:5000`),
          TRUSTED_TOKEN_SERVERS: plain(settings.TRUSTED_TOKEN_SERVERS).map((it) => `${it}.example=auth.${it}.example`),
          CLOUD_IDENTITIES: settings.CLOUD_IDENTITIES.slice(0, 1),
          CLOUD_IDENTITY_SOURCES: plain(settings.CLOUD_IDENTITY_SOURCES).map((it) => `*.${it}.example`),
          CLOUD_DOMAINS: plain(settings.CLOUD_DOMAINS).map((it) => `${it}.example=${it}.azurecr.io`),
          ECR_DOMAINS: plain(settings.ECR_DOMAINS).map((it) => `${it}.example=eu-west-1`),
          ECR_ROLES: plain(settings.ECR_ROLES).map((it) => `${it}.example=arn:aws:iam::123456789012:role/${it}`),
          ECR_TAGS: plain(settings.ECR_TAGS).map((it) => `${it}=${it}`),
          ECR_ENCRYPTION: settings.ECR_ENCRYPTION === "" ? "" : "KMS_DSSE",
          ECR_LIFECYCLE_POLICY: JSON.stringify({ rules: settings.ECR_LIFECYCLE_POLICY }),
          ECR_REPOSITORY_POLICY: "",
          EXTRA_KINDS: plain([...new Set(settings.EXTRA_KINDS.map((it) => it.group))]).slice(0, 20).map((
            it,
            index
          ) => ({
            group: `${it}.example`,
            version: "v1",
            kind: `Kind${index}`,
            path: "spec.template.spec"
          }))
        }
        const texts = yield* Schema.encodeEffect(Settings)(given)
        assert.deepStrictEqual(Result.getOrThrow(decode(texts)), given)
      })
  )

  it("are documented, every key", () => {
    for (const key of keys) {
      const { allowed, description } = documentationOf(key)
      assert.isAbove(description.length, 20, key)
      assert.isAbove(allowed.length, 5, key)
    }
  })
})
