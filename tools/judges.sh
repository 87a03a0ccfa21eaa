#!/bin/sh
# judges.sh [DIR]: puts the real tools into DIR that `make judge` has work on rewritten workloads, or judge ours, and prints DIR as the last line.
# Needs Go 1.26 and the Go module proxy; takes about fifteen minutes once, nothing after that.
set -eu
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/image-cloner/judges}
helm3=v3.22.0 helm4=v4.3.1 kube_score=v1.20.0
# the newest that Go 1.26 builds; the sources' definitions are those of the same release of Flux
kustomize_controller=v1.9.6 source_controller=v1.9.6

command -v go >/dev/null || { echo "judges: Go should be here and is not: https://go.dev/doc/install" >&2; exit 1; }
mkdir -p "$dir/crds"

# have NAME VERSION: whether it is there already
have() { [ "$(cat "$dir/.$1" 2>/dev/null)" = "$2" ]; }
# says where a module lies, unpacked
module() { go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'; }

# helm NUMBER VERSION
helm() {
  have "helm$1" "$2" && return
  GOBIN="$dir" go install "helm.sh/helm/v$1/cmd/helm@$2" >&2
  mv "$dir/helm" "$dir/helm$1"
  echo "$2" > "$dir/.helm$1"
}
helm 3 "$helm3"
helm 4 "$helm4"

if ! have kube-score "$kube_score"; then
  GOBIN="$dir" go install "github.com/zegl/kube-score/cmd/kube-score@$kube_score" >&2
  echo "$kube_score" > "$dir/.kube-score"
fi

if ! have flux "$kustomize_controller $source_controller"; then
  source=$(mktemp -d)
  trap 'rm -rf "$source"' EXIT
  flux=github.com/fluxcd
  cp -R "$(module "$flux/kustomize-controller@$kustomize_controller")/." "$source"
  chmod -R u+w "$source"
  cp "$source"/config/crd/bases/*.yaml "$(module "$flux/source-controller@$source_controller")"/config/crd/bases/*.yaml "$dir/crds/"
  chmod u+w "$dir"/crds/*
  # its go.mod points to a folder beside it that is no part of the module: `go install` refuses that
  (
    cd "$source"
    go mod edit -dropreplace="$flux/kustomize-controller/api"
    go get "$flux/kustomize-controller/api@$kustomize_controller"
    go build -mod=mod -trimpath -ldflags "-s -w" -o "$dir/kustomize-controller" .
  ) >&2
  echo "$kustomize_controller $source_controller" > "$dir/.flux"
fi
echo "$dir"
