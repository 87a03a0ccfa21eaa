// Views: a view of the status page with something in every part, for its tests.
import type { PageView } from "../../../src/web/page/PageView.ts"

/** Every name and message in it is `text`, or what it has by itself. */
export const viewOf = (text?: string): PageView => {
  const at = Date.UTC(2026, 4, 17, 12, 30, 0)
  const image = text ?? "docker.io/library/nginx:1.27"
  const web = text ?? "Deployment/shop/web"
  const detail = text ?? "argocd undid the change three times"
  const command = text ?? "kubectl -n shop annotate deployment/web image-cloner.io/held-"
  return {
    at,
    version: text ?? "0.1.0",
    complete: true,
    ratio: 0.9871,
    pods: { running: 812, whole: 60, left: 41, "at-risk": 12 },
    images: { running: 122, whole: 9, left: 7, "at-risk": 4 },
    namespaces: {
      first: ["shop", "bank", "monitoring", "ingress"].map((it, index) => ({
        namespace: text ?? it,
        pods: { running: 20 * index, whole: 3, left: 1, "at-risk": index === 0 ? 12 : 0 }
      })),
      more: 3
    },
    course: Array.from({ length: 200 }, (_, index) => ({
      at: at - (200 - index) * 300_000,
      ratio: Math.min(0.987, 0.62 + index / 300 + (index % 40 > 35 ? -0.03 : 0)),
      atRisk: 12
    })),
    copies: {
      first: [{
        source: image,
        startedAt: at - 40_000,
        bytes: { done: 61_000_000, total: 180_000_000 },
        blobs: { done: 3, total: 8 }
      }, { source: image, startedAt: at, bytes: { done: 0, total: 0 }, blobs: { done: 0, total: 0 } }],
      more: 2
    },
    waiting: 14,
    held: [{
      reason: text ?? "paced",
      meaning: text ?? "as many rollouts as allowed are under way",
      advice: text ?? "wait, or raise MAX_CONCURRENT_ROLLOUTS",
      workloads: { first: [web, web], more: 31 }
    }],
    trouble: {
      first: [{
        workload: web,
        reason: text ?? "contested",
        detail,
        since: at - 90_000_000,
        advice: text ?? "find out what applies the old image",
        commands: [{ does: text ?? "have it tried again", command }]
      }],
      more: 1
    },
    vanished: {
      first: [
        { source: image, cause: "not-found", kept: false, pods: 3 },
        { source: image, cause: "unreachable", kept: true, pods: 1 }
      ],
      more: 5
    },
    failed: {
      first: [{ source: image, state: text ?? "not-found", detail, users: 3, retryAt: at + 600_000, command }],
      more: 4
    },
    registries: {
      first: [
        {
          host: text ?? "docker.io",
          images: 80,
          budget: { limit: 100, remaining: 37, windowMinutes: 360 },
          restFor: 0
        },
        { host: text ?? "ghcr.io", images: 31, budget: undefined, restFor: 240_000 }
      ],
      more: 1
    },
    changes: [
      { at: at - 5000, kind: "rewritten", name: web, detail },
      {
        at: at - 9000,
        kind: "copied",
        name: image,
        detail: text ?? "backup.example/copies/docker.io/library/nginx:1.27"
      }
    ]
  }
}
