#!/bin/sh
# Takes the controller out of the cluster. Workloads that use the backup keep using it, and the warning names them.
set -eu
: "${KUBECTL:=kubectl}"
here=$(cd "$(dirname "$0")/.." && pwd)
kinds=deployments,daemonsets,statefulsets,replicationcontrollers,cronjobs,replicasets

mark='image-cloner.io/original-images'
path='{range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name}{" "}{.spec.template.metadata.annotations}{.spec.jobTemplate.spec.template.metadata.annotations}{" owner="}{.metadata.ownerReferences[*].kind}{"\n"}{end}'
using=$($KUBECTL get "$kinds" --all-namespaces -o "jsonpath=$path" | grep -F "$mark" | grep -v ' owner=[A-Z]' | cut -d ' ' -f 1 || true)
if [ -n "$using" ]; then
  echo "warning: these workloads use the backup and will go on doing so; keep the registry:" >&2
  printf '%s\n' "$using" | sed 's/^/  /' >&2
  echo "Their original images stand in the annotation $mark of their pod templates." >&2
fi
$KUBECTL delete --ignore-not-found -k "$here/manifests/base"
