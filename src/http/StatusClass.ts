// The class of a status code: a label of metrics, which must not have a value for every number a server makes up.

/** What a status begins with; `4xx` for 429 as well. */
export const statusClass = (status: number): "2xx" | "3xx" | "4xx" | "5xx" =>
  status < 300 ? "2xx" : status < 400 ? "3xx" : status < 500 ? "4xx" : "5xx"
