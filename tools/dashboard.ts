// The dashboard for Grafana, as docs/dashboard.json: what one looks at on an ordinary day first, and what explains it below.
// Every query is one a test asks a Prometheus that has scraped the program (test/documentation/Dashboard.integration.test.ts).

interface Panel {
  readonly title: string
  readonly says: string
  readonly kind?: "stat" | "timeseries"
  readonly unit?: "percentunit" | "bytes" | "Bps" | "s" | "short"
  readonly stacked?: true
  /** By legends; `$job` and `$__rate_interval` are Grafana's to fill in. */
  readonly queries: Readonly<Record<string, string>>
}

interface Row {
  readonly title: string
  readonly panels: ReadonlyArray<Panel>
}

/** A metric of this program alone. */
const of = (name: string, ...labels: ReadonlyArray<string>): string =>
  `image_cloner_${name}{${["job=\"$job\"", ...labels].join(",")}}`

const rate = (name: string, ...labels: ReadonlyArray<string>): string =>
  `rate(${of(name, ...labels)}[$__rate_interval])`

const quantile = (part: number, name: string): string =>
  `histogram_quantile(${part}, sum by (le) (${rate(`${name}_bucket`)}))`

const rows: ReadonlyArray<Row> = [
  {
    title: "What would survive",
    panels: [
      {
        title: "Pods that have a copy",
        says:
          "Share of the running pods whose images are all in the backup, of those that can have one. ImageClonerCoverageBurns watches it.",
        kind: "stat",
        unit: "percentunit",
        queries: { pods: `min(${of("coverage_ratio", "by=\"pods\"")})` }
      },
      {
        title: "Images that have a copy",
        says: "Share of the images in use that are in the backup, of those that can be.",
        kind: "stat",
        unit: "percentunit",
        queries: { images: `min(${of("coverage_ratio", "by=\"images\"")})` }
      },
      {
        title: "Settings refused",
        says: "1 while the last change of the settings could not be used; the ones before are in use.",
        kind: "stat",
        unit: "short",
        queries: { rejected: `max(${of("settings_rejected")})` }
      },
      {
        title: "Coverage",
        says: "Both shares over time.",
        unit: "percentunit",
        queries: { "{{by}}": `min by (by) (${of("coverage_ratio")})` }
      },
      {
        title: "Images in use",
        says: "By state. failed and not-found need somebody: image-cloner explain says why.",
        stacked: true,
        queries: { "{{state}}": `max by (state) (${of("images")})` }
      },
      {
        title: "Workloads",
        says: "By what became of them.",
        stacked: true,
        queries: { "{{state}}": `max by (state) (${of("workloads")})` }
      }
    ]
  },
  {
    title: "Rewriting",
    panels: [
      {
        title: "Why workloads are not rewritten",
        says: "The ten most frequent reasons. docs/operations.md has a line for each.",
        queries: { "{{reason}}": `topk(10, max by (reason) (${of("workloads_not_rewritten")}) > 0)` }
      },
      {
        title: "Patches",
        says: "Requests that change workloads, by what came of them.",
        queries: { "{{result}}": `sum by (result) (${rate("rewrites_total")}) > 0 or vector(0)` }
      },
      {
        title: "Rollouts under way",
        says: "Places that are taken, of MAX_CONCURRENT_ROLLOUTS.",
        queries: { "under way": `max(${of("rollouts_in_flight")})` }
      },
      {
        title: "Pods that are made",
        says: "Reviews by the webhooks, by what came of them.",
        queries: {
          "{{operation}} {{outcome}}": `sum by (operation, outcome) (${rate("admission_reviews_total")}) or vector(0)`
        }
      },
      {
        title: "Time of a review",
        says: "Of the webhooks; the API server waits for it.",
        unit: "s",
        queries: {
          p50: quantile(0.5, "admission_duration_seconds"),
          p99: quantile(0.99, "admission_duration_seconds")
        }
      },
      {
        title: "Tags that have moved",
        says: "Of images in use, at their source.",
        queries: {
          "{{result}}": `sum by (result) (${rate("tag_comparisons_total")})`,
          drifted: `max(${of("tags_drifted")})`
        }
      }
    ]
  },
  {
    title: "Copying",
    panels: [
      {
        title: "Images copied",
        says: "Copies that have ended, by what came of them.",
        queries: { "{{result}}": `sum by (result) (${rate("clones_total")}) > 0 or vector(0)` }
      },
      {
        title: "Copies",
        says: "Under way, and waiting for one of MAX_CONCURRENT_RECONCILES.",
        queries: { "under way": `sum(${of("clones_in_flight")})`, waiting: `sum(${of("clones_waiting")})` }
      },
      {
        title: "Time of a copy",
        says: "From its first request to its tag.",
        unit: "s",
        queries: { p50: quantile(0.5, "clone_duration_seconds"), p95: quantile(0.95, "clone_duration_seconds") }
      },
      {
        title: "Layers",
        says: "Bytes that were uploaded, and those that needed not be.",
        unit: "Bps",
        queries: { "{{how}}": `sum by (how) (${rate("blob_bytes_total")})` }
      },
      {
        title: "Registries",
        says: "Requests by host and answer. 429 is a limit of the registry's.",
        queries: { "{{host}} {{code}}": `sum by (host, code) (${rate("registry_requests_total")}) > 0 or vector(0)` }
      },
      {
        title: "Rests",
        says: "How often a registry was left alone, because it said so or did not answer.",
        queries: { "{{host}}": `sum by (host) (${rate("registry_rests_total")}) or vector(0)` }
      }
    ]
  },
  {
    title: "The controller",
    panels: [
      {
        title: "Kinds that are seen",
        says: "1 for each kind of the cluster that is known whole. ImageClonerBlind watches it.",
        queries: { "{{resource}}": `min by (resource) (${of("watch_synced")})` }
      },
      {
        title: "API server",
        says: "Requests by answer, watches aside.",
        queries: { "{{method}} {{code}}": `sum by (method, code) (${rate("kube_requests_total")}) > 0 or vector(0)` }
      },
      {
        title: "Queues",
        says: "Keys that wait, by queue.",
        queries: { "{{queue}}": `sum by (queue) (${of("queue_depth")})` }
      },
      {
        title: "Memory",
        says: "Of each replica; its limit is the Deployment's.",
        unit: "bytes",
        queries: {
          "resident {{instance}}": of("process_resident_memory_bytes"),
          "heap {{instance}}": of("process_heap_used_bytes")
        }
      },
      {
        title: "Processor",
        says: "Seconds of a core a second.",
        queries: { "{{instance}}": rate("process_cpu_seconds_total") }
      },
      {
        title: "Held up",
        says:
          "99th percentile of how late the event loop is. Above a tenth of a second something works too long at once.",
        unit: "s",
        queries: { "{{instance}}": of("event_loop_delay_p99_seconds") }
      },
      {
        title: "Leader",
        says: "Which of several replicas writes.",
        queries: { "{{instance}}": of("leader") }
      }
    ]
  }
]

const source = { type: "prometheus", uid: "${datasource}" }
const columns = 24
const width = 8
const height = 7
const heading = 1

const targets = ({ queries }: Panel) =>
  Object.entries(queries).map(([legendFormat, expr], at) => ({
    refId: String.fromCodePoint(65 + at),
    datasource: source,
    expr,
    legendFormat
  }))

const panelOf = (panel: Panel, id: number, x: number, y: number) => {
  const { kind = "timeseries", says, stacked, title, unit = "short" } = panel
  return {
    id,
    type: kind,
    title,
    description: says,
    datasource: source,
    gridPos: { x, y, w: width, h: height },
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        ...(unit === "percentunit" ? { max: 1 } : {}),
        ...(kind === "stat" ? {} : {
          custom: stacked === undefined ? { fillOpacity: 0 } : { fillOpacity: 30, stacking: { mode: "normal" } }
        })
      },
      overrides: []
    },
    options: kind === "stat"
      ? { reduceOptions: { calcs: ["lastNotNull"] }, colorMode: "none", graphMode: "area" }
      : { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } },
    targets: targets(panel)
  }
}

/** Rows one below the other, three panels side by side. */
const layout = () => {
  const panels: Array<unknown> = []
  let y = 0
  for (const row of rows) {
    panels.push({
      id: panels.length + 1,
      type: "row",
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: columns, h: heading },
      panels: []
    })
    y += heading
    row.panels.forEach((panel, at) => {
      const perLine = columns / width
      const line = Math.floor(at / perLine)
      panels.push(panelOf(panel, panels.length + 1, (at % perLine) * width, y + line * height))
    })
    y += Math.ceil(row.panels.length / (columns / width)) * height
  }
  return panels
}

/** Every query with the title of its panel. */
export const dashboardQueries = (): ReadonlyArray<readonly [title: string, query: string]> =>
  rows.flatMap((row) =>
    row.panels.flatMap((it) => Object.values(it.queries).map((query) => [it.title, query] as const))
  )

/** The JSON that Grafana imports. */
export const dashboard = (): string =>
  `${
    JSON.stringify(
      {
        uid: "image-cloner",
        title: "image-cloner",
        description: "What of the cluster's images is in the backup, what is being done, and what is held up.",
        tags: ["kubernetes", "images"],
        editable: true,
        schemaVersion: 39,
        refresh: "1m",
        time: { from: "now-24h", to: "now" },
        templating: {
          list: [
            { name: "datasource", label: "Data source", type: "datasource", query: "prometheus" },
            {
              name: "job",
              label: "Job",
              type: "query",
              datasource: source,
              query: { query: "label_values(image_cloner_build_info, job)", refId: "job" },
              refresh: 1
            }
          ]
        },
        panels: layout()
      },
      null,
      2
    )
  }\n`
