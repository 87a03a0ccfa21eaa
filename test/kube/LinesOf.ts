// The lines of a watch that was asked for in JSON.
import { Stream } from "effect"
import type { KubeClient, KubeRequest } from "../../src/kube/KubeClient.ts"

export const linesOf = (client: KubeClient["Service"], request: KubeRequest) =>
  client.frames(request).pipe(Stream.flattenIterable, Stream.map(String))
