import { assert, describe, it } from "@effect/vitest"
import {
  canShow,
  isOutOfReach,
  isRefusal,
  pullSetOf,
  pullSetOfPod,
  withoutSecrets
} from "../../src/workload/PullSet.ts"
import type { Pod } from "../../src/workload/Workload.ts"
import { type Given, pod, workload } from "../support/Objects.ts"

const shop = { name: "shop", uid: "uid-1", marks: { ignore: undefined, rewrite: undefined } }
const secrets = (...names: ReadonlyArray<string>) => ({ imagePullSecrets: names.map((name) => ({ name })) })
const account = (...pullSecrets: ReadonlyArray<string>) => ({ key: "shop/default", namespace: "shop", pullSecrets })

describe("the pull secrets that the next pod of a workload would have", () => {
  const of = (given: Given, about: Partial<Parameters<typeof pullSetOf>[1]> = {}) =>
    pullSetOf(workload(given), { namespace: shop, account: account(), pods: [], ...about })?.key

  it("are its template's, else its account's, in any order", () => {
    assert.strictEqual(of({ podSpec: secrets("b", "a") }, { account: account("x") }), "uid-1/a,b")
    assert.strictEqual(of({}, { account: account("x") }), "uid-1/x")
    assert.strictEqual(of({}), withoutSecrets.key)
  })

  it("are told by the youngest pod of the account where accounts cannot be seen", () => {
    const made = (creationTimestamp: string, name: string, more: object = {}) =>
      pod({ metadata: { creationTimestamp }, podSpec: { ...secrets(name), ...more } })
    const pods: ReadonlyArray<Pod> = [
      made("2026-01-01T00:00:00Z", "old"),
      made("2026-01-03T00:00:00Z", "new"),
      made("2026-01-02T00:00:00Z", "between"),
      made("2026-01-04T00:00:00Z", "others", { serviceAccountName: "other" })
    ]
    assert.strictEqual(of({}, { account: undefined, pods }), "uid-1/new")
    assert.isUndefined(of({}, { account: undefined }))
  })

  it("are another set when the namespace is made anew, and unknown while it is not seen", () => {
    assert.strictEqual(of({ podSpec: secrets("a") }, { namespace: { ...shop, uid: "uid-2" } }), "uid-2/a")
    assert.isUndefined(of({ podSpec: secrets("a") }, { namespace: undefined }))
  })

  it("are those of a pod as it is", () => {
    assert.strictEqual(pullSetOfPod(pod({ podSpec: secrets("a") }), shop)?.key, "uid-1/a")
    assert.strictEqual(pullSetOfPod(pod(), undefined)?.key, withoutSecrets.key)
  })
})

describe("what can show that pods can pull", () => {
  it("is a Deployment that misses none of its pods for it", () => {
    const rolling = (replicas: number, rollingUpdate: object = {}) =>
      canShow(workload({ spec: { replicas, strategy: { type: "RollingUpdate", rollingUpdate } } }))
    assert.isTrue(rolling(1))
    assert.isTrue(rolling(3, { maxUnavailable: 2 }))
    assert.isFalse(rolling(1, { maxUnavailable: 1 }))
    assert.isFalse(rolling(3, { maxUnavailable: "100%" }))
    assert.isFalse(rolling(0))
    assert.isFalse(canShow(workload({ spec: { strategy: { type: "Recreate" } } })))
    for (const kind of ["StatefulSet", "DaemonSet", "CronJob"] as const) {
      assert.isFalse(canShow(workload({ kind })), kind)
    }
  })
})

describe("a pull that failed", () => {
  it.each([
    "failed to authorize: 401 Unauthorized",
    "pull access denied, repository does not exist or may require authorization",
    "unexpected status from HEAD request: 403 Forbidden",
    "no basic auth credentials",
    "unauthorized: authentication required",
    "requested access to the resource is denied",
    "failed to fetch oauth token: unexpected status from GET request to https://auth.example/token: 401 Unauthorized",
    "reading manifest 1 in backup.example/copies/nginx: denied: Your authorization token has expired",
    "unable to retrieve auth token: invalid username/password: unauthorized",
    "server message: insufficient_scope: authorization failed",
    "unexpected status code 403",
    // CRI-O's and Docker's, of which the phrase of the status was forgotten once
    "Requesting bearer token: invalid status code from registry 403 (Forbidden)",
    "reading manifest 1 in backup.example/copies/nginx: StatusCode: 403, \"<html>\"",
    "Error response from daemon: error parsing HTTP 403 response body: invalid character '<'"
  ])("is a refusal: %s", (message) => assert.isTrue(isRefusal(message)))

  it.each([
    undefined,
    "",
    "dial tcp 10.0.0.1:443: i/o timeout",
    "connection refused",
    "unexpected status code 503 Service Unavailable",
    "manifest unknown",
    "127.0.0.1:40133: connect: no route to host",
    // whoever makes a pod chooses these names, and the set of pods without secrets is everybody's
    "failed to pull and unpack image \"backup.example/copies/access-denied:403\": not found",
    "reading manifest 403 in backup.example/copies/tools/denied: manifest unknown",
    "reading manifest unauthorized in backup.example/copies/tools/unauthorized: manifest unknown",
    "backup.example/copies/tools:denied: not found",
    "reading manifest 403 in backup.example/copies/http: StatusCode: 404, \"<html>\"",
    "Requesting bearer token: invalid status code from registry 502 (Bad Gateway)"
  ])("is an outage: %s", (message) => assert.isFalse(isRefusal(message)))

  it.each([
    "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    "dial tcp: lookup registry.shop.svc on 10.96.0.10:53: no such host",
    "dial tcp 10.0.0.1:443: i/o timeout",
    "dial tcp 10.0.0.1:443: connect: connection refused",
    "http: server gave HTTP response to HTTPS client",
    "net/http: TLS handshake timeout",
    "proxyconnect tcp: EOF",
    "failed to do request: Head \"https://backup.example/v2/copies/nginx/manifests/1\": context deadline exceeded"
  ])("failed on the way: %s", (message) => assert.isTrue(isOutOfReach(message)))

  it.each([
    undefined,
    "Back-off pulling image \"backup.example/copies/nginx:1\"",
    "manifest unknown",
    "failed to pull and unpack image \"backup.example/copies/x509-certificate-exporter:3\": not found",
    "reading manifest 3 in backup.example/copies/tools/x509: manifest unknown",
    "reading manifest lookup in backup.example/copies/tls: manifest unknown",
    "unexpected status code 503 Service Unavailable",
    // a pull that takes too long has reached the backup
    "failed to pull and unpack image \"backup.example/copies/nginx:1\": context deadline exceeded",
    "failed to extract layer sha256:0a: write /var/lib/containerd/tmp: no space left on device",
    "Get \"https://10.0.0.1/v2/\": dial tcp 10.0.0.1:443: 401 Unauthorized"
  ])("did not fail on the way: %s", (message) => assert.isFalse(isOutOfReach(message)))
})
