#!/bin/sh
# Puts the controller into the cluster that kubectl names. The configuration is created once and never overwritten.
set -eu
: "${KUBECTL:=kubectl}" "${IMAGE:?name the image: make deploy IMAGE=registry/image-cloner:tag}"
here=$(cd "$(dirname "$0")/.." && pwd)
namespace=image-cloner

exists() { $KUBECTL -n "$namespace" get "$1" "$2" >/dev/null 2>&1; }

need_registry=; need_login=
exists configmap image-cloner-configuration || need_registry=1
exists configmap docker-configuration || exists secret docker-configuration || need_login=1
missing=
[ -z "$need_registry" ] || [ -n "${BACKUP_REGISTRY:-}" ] || missing="$missing BACKUP_REGISTRY=host/prefix"
[ -z "$need_login" ] || [ -n "${DOCKER_CONFIG_JSON:-}" ] || missing="$missing DOCKER_CONFIG_JSON=path/to/config.json"
if [ -n "$missing" ]; then
  echo "deploy: the cluster has no configuration yet; the first time, name also:$missing" >&2
  exit 1
fi
if [ -n "$need_login" ] && [ ! -r "$DOCKER_CONFIG_JSON" ]; then
  echo "deploy: $DOCKER_CONFIG_JSON cannot be read" >&2
  exit 1
fi

$KUBECTL apply -f "$here/manifests/base/namespace.yaml"
if [ -n "$need_registry" ]; then
  # the value goes into the manifest as a quoted YAML string
  quoted=$(printf '%s' "$BACKUP_REGISTRY" | sed 's/[\\"&|]/\\&/g')
  sed "s|^  BACKUP_REGISTRY: .*|  BACKUP_REGISTRY: \"$quoted\"|" \
    "$here/manifests/configuration/image-cloner-configuration.yaml" | $KUBECTL create -f -
else
  echo "configmap/image-cloner-configuration is there and stays as it is"
fi
if [ -n "$need_login" ]; then
  # the login itself goes into a Secret, which wins over the ConfigMap of the same name
  $KUBECTL create -f "$here/manifests/configuration/docker-configuration.yaml"
  $KUBECTL -n "$namespace" create secret generic docker-configuration "--from-file=config.json=$DOCKER_CONFIG_JSON"
else
  echo "docker-configuration is there and stays as it is"
fi

$KUBECTL kustomize "$here/manifests/base" | sed "s|image: image-cloner:latest\$|image: $IMAGE|" | $KUBECTL apply -f -
echo
echo "The controller is deployed$([ -z "$need_registry" ] || echo " with DRY_RUN on: it says what it would do and does nothing")."
echo "  $KUBECTL -n $namespace logs deployment/image-cloner-controller"
