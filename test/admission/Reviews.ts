// An AdmissionReview as the API server sends it, for the pod of a ReplicaSet.

/** @param request what is other than in the usual request */
export const reviewOf = (request: Readonly<Record<string, unknown>> = {}) => ({
  kind: "AdmissionReview",
  apiVersion: "admission.k8s.io/v1",
  request: {
    uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
    kind: { group: "", version: "v1", kind: "Pod" },
    resource: { group: "", version: "v1", resource: "pods" },
    requestKind: { group: "", version: "v1", kind: "Pod" },
    requestResource: { group: "", version: "v1", resource: "pods" },
    namespace: "shop",
    operation: "CREATE",
    userInfo: {
      username: "system:serviceaccount:kube-system:replicaset-controller",
      uid: "4a1c1d0e",
      groups: ["system:serviceaccounts"],
      extra: { k: ["v"] }
    },
    object: { apiVersion: "v1", kind: "Pod", metadata: { generateName: "web-" }, spec: { containers: [] } },
    oldObject: null,
    dryRun: false,
    options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
    ...request
  }
})
