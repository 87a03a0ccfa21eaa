#!/bin/sh
# Puts the controller into the cluster that kubectl names. The configuration is created once and never overwritten.
# Environment: KUBECTL (a command, with flags if need be), IMAGE, BACKUP_REGISTRY, DOCKER_CONFIG_JSON.
set -eu
: "${KUBECTL:=kubectl}" "${IMAGE:=}" "${BACKUP_REGISTRY:=}" "${DOCKER_CONFIG_JSON:=}"
here=$(cd "$(dirname "$0")/.." && pwd)
namespace="image-cloner"
name="image-cloner-controller"

# nothing for what is not there; what cannot be asked ends the script, with kubectl's own words
ask() { $KUBECTL -n "$namespace" get --ignore-not-found "$@"; }

settings=$(ask configmap image-cloner-configuration -o name)
logins=$(ask configmap docker-configuration -o name)$(ask secret docker-configuration -o name)
running=$(ask deployment "$name" -o 'jsonpath={.spec.template.spec.containers[0].image}')

missing=
[ -n "$IMAGE$running" ] || missing="$missing IMAGE=registry/image-cloner:tag"
[ -n "$settings" ] || [ -n "$BACKUP_REGISTRY" ] || missing="$missing BACKUP_REGISTRY=host/prefix"
[ -n "$logins" ] || [ -n "$DOCKER_CONFIG_JSON" ] || missing="$missing DOCKER_CONFIG_JSON=path/to/config.json"
if [ -n "$missing" ]; then
  echo "deploy: the cluster does not know these yet, name them:$missing" >&2
  exit 1
fi
if [ -z "$logins" ]; then
  if [ ! -r "$DOCKER_CONFIG_JSON" ]; then
    echo "deploy: DOCKER_CONFIG_JSON=$DOCKER_CONFIG_JSON cannot be read" >&2
    exit 1
  fi
  if grep -Eq '"cred(sStore|Helpers)"' "$DOCKER_CONFIG_JSON" && ! grep -Eq '"(auth|password|identitytoken)"' "$DOCKER_CONFIG_JSON"; then
    echo "deploy: $DOCKER_CONFIG_JSON holds no login: yours are kept by a helper program, which a pod does not have." >&2
    echo "deploy: write one that does: DOCKER_CONFIG=/some/new/folder docker login ${BACKUP_REGISTRY%%/*}" >&2
    exit 1
  fi
fi

$KUBECTL apply -f "$here/manifests/base/namespace.yaml"
if [ -z "$settings" ]; then
  # the value goes into the manifest as a quoted YAML string
  quoted=$(printf '%s' "$BACKUP_REGISTRY" | sed 's/[\\"&|]/\\&/g')
  sed "s|^  BACKUP_REGISTRY: .*|  BACKUP_REGISTRY: \"$quoted\"|" \
    "$here/manifests/configuration/image-cloner-configuration.yaml" | $KUBECTL create -f -
else
  echo "configmap/image-cloner-configuration is there and stays as it is${BACKUP_REGISTRY:+ (BACKUP_REGISTRY is not used)}"
fi
if [ -z "$logins" ]; then
  # the login itself goes into a Secret, which wins over the ConfigMap of the same name
  $KUBECTL create -f "$here/manifests/configuration/docker-configuration.yaml"
  $KUBECTL -n "$namespace" create secret generic docker-configuration "--from-file=config.json=$DOCKER_CONFIG_JSON"
else
  echo "docker-configuration is there and stays as it is${DOCKER_CONFIG_JSON:+ (DOCKER_CONFIG_JSON is not used)}"
fi

image=${IMAGE:-$running}
# who has the webhooks, or two replicas, keeps them: the base alone would close their port, and leave two that both write
manifests=base
[ -z "$(ask service image-cloner-webhook -o name)" ] || manifests=overlays/admission
[ -z "$(ask role image-cloner-leader -o name)" ] || manifests=overlays/ha
# the CronJob that verifies is the same program
[ -z "$(ask cronjob image-cloner-verify -o name)" ] || manifests="$manifests overlays/verify"
for it in $manifests; do
  $KUBECTL kustomize "$here/manifests/$it" | sed "s|image: image-cloner:[0-9.]*\$|image: $image|" | $KUBECTL apply -f -
done

echo
echo "Deployed $image. What it does, and what it would do with DRY_RUN on, is in its log:"
echo "  $KUBECTL -n $namespace logs deployment/$name"
if [ -z "$settings" ]; then
  echo "It begins with DRY_RUN on and changes nothing. To switch it on:"
  echo "  $KUBECTL -n $namespace patch configmap image-cloner-configuration --type merge -p '{\"data\":{\"DRY_RUN\":\"false\"}}'"
fi
