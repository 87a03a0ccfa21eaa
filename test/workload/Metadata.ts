// Metadata of objects as tools and API servers write it.
import { ownedImage } from "../support/Objects.ts"

/** What a field manager owns of a pod spec, where a Deployment and a CronJob have it. */
export const inTemplate = (spec: Record<string, unknown>) => ({ "f:spec": { "f:template": { "f:spec": spec } } })
export const inCronJob = (spec: Record<string, unknown>) => ({ "f:spec": { "f:jobTemplate": inTemplate(spec) } })

export const item = (name: string, fields: Record<string, unknown>) => ({
  [`k:{"name":"${name}"}`]: { ".": {}, "f:name": {}, ...fields }
})

export const update = (manager: string, fieldsV1: unknown = ownedImage, more = {}) => ({
  managedFields: [{ manager, operation: "Update", apiVersion: "apps/v1", fieldsType: "FieldsV1", fieldsV1, ...more }]
})
export const triggers = (...paused: ReadonlyArray<boolean | undefined>) => ({
  annotations: {
    "image.openshift.io/triggers": JSON.stringify(paused.map((it) => ({
      from: { kind: "ImageStreamTag", name: "web:latest" },
      fieldPath: "spec.template.spec.containers[?(@.name==\"app\")].image",
      ...(it === undefined ? {} : { paused: it })
    })))
  }
})
export const labelled = (labels: Record<string, string>) => ({ labels })
export const annotated = (annotations: Record<string, string>) => ({ annotations })
export const owned = (apiVersion: string, kind: string, name: string, more = {}) => ({
  ownerReferences: [{ apiVersion, kind, name, uid: "4b1c7c9e-0000-4000-8000-000000000000", ...more }]
})
