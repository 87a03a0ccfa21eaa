#!/bin/sh
# Takes the controller out of the cluster, its namespace and configuration included. Workloads that use the backup keep
# using it; the warning names them. Environment: KUBECTL (a command, with flags if need be).
set -eu
: "${KUBECTL:=kubectl}"
here=$(cd "$(dirname "$0")/.." && pwd)
namespace="image-cloner"
mark=image-cloner.io/original-images

backup=$($KUBECTL -n "$namespace" get --ignore-not-found configmap image-cloner-configuration -o 'jsonpath={.data.BACKUP_REGISTRY}')
backup=$(printf '%s' "$backup" | tr -d '[:space:]')

# one line an object: its name, its images, and the annotations of its pod template
pods='{range .spec.template}{.spec.initContainers[*].image}{" "}{.spec.containers[*].image}{" "}{.metadata.annotations}{end}'
jobs='{range .spec.jobTemplate.spec.template}{.spec.initContainers[*].image}{" "}{.spec.containers[*].image}{" "}{.metadata.annotations}{end}'
bare='{.spec.initContainers[*].image}{" "}{.spec.containers[*].image}'
line="{range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name}{\" \"}$pods$jobs$bare{\" owner=\"}{.metadata.ownerReferences[*].kind}{\"\\n\"}{end}"
objects=$($KUBECTL get deployments,daemonsets,statefulsets,replicasets,replicationcontrollers,cronjobs,jobs,pods \
  --all-namespaces -o "jsonpath=$line")
if [ -n "$backup" ]; then using=" $backup/"; else using=$mark; fi
found=$(printf '%s\n' "$objects" | grep -F "$using" | grep -v ' owner=[A-Z]' | cut -d ' ' -f 1 || true)
if [ -n "$found" ]; then
  echo "warning: these use the backup ${backup:-registry} and will go on doing so; keep it:" >&2
  printf '%s\n' "$found" | sed 's/^/  /' >&2
  echo "What they used before stands in the annotation $mark of their pod templates." >&2
fi
# before what answers them: the API server would go on asking, and each pod would wait for an answer that does not come
$KUBECTL delete --ignore-not-found -f "$here/manifests/overlays/admission/webhooks.yaml"
$KUBECTL delete --ignore-not-found -k "$here/manifests/overlays/verify"
# with what webhooks and two replicas need, whether they were ever there
$KUBECTL delete --ignore-not-found -k "$here/manifests/overlays/ha"
# and the rights for kinds of EXTRA_KINDS and for PULL_SECRET, of which the same is true
$KUBECTL delete --ignore-not-found -k "$here/manifests/overlays/extra-kinds"
$KUBECTL delete --ignore-not-found -k "$here/manifests/pull-secret"
