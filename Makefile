# What people type. Every target does its own set-up; only Node.js >= 20, npm and make are needed for demo and test.
SHELL := /bin/sh
.DEFAULT_GOAL := help

KUBECTL ?= kubectl
NODE := node_modules/.bin/node
# Node.js of its own may not trust the system's certificate authorities yet; npm's download of it already has to
SYSTEM_CA := $(wildcard /etc/ssl/certs/ca-certificates.crt)
export NODE_EXTRA_CA_CERTS ?= $(SYSTEM_CA)

.PHONY: help install build check test judge demo bench plan package image deploy undeploy clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

install: node_modules/.installed ## the dependencies, and the pinned Node.js with them

# npm 10 makes no bin link for a package that is an optional dependency of a linked one; rebuilding it does
node_modules/.installed: package-lock.json tools/node/package.json
	@npm ci --no-audit --no-fund --loglevel=error
	@test -x $(NODE) || npm rebuild $$(cd node_modules && ls -d node-linux-* node-darwin-* node-bin-darwin-* 2>/dev/null | head -n 1)
	@npm run --silent node:check
	@touch $@

build: install ## dist/: the program and the demo, each a bundle
	@npm run --silent build > /dev/null

check: install ## types, Effect diagnostics, lint, format, dead code, documentation
	@npm run --silent check

test: install build ## every test that this machine has the parts for
	@npm test --silent

judge: install build ## our chart, what Helm and Flux do to rewritten workloads, and webhooks whose replicas are replaced; needs Go and KUBEBUILDER_ASSETS, the first time for 15 minutes
	@[ -x "$$KUBEBUILDER_ASSETS/kube-apiserver" ] && [ -x "$$KUBEBUILDER_ASSETS/kubectl" ] || \
	  { echo "make judge needs a control plane: KUBEBUILDER_ASSETS, a folder with etcd, kube-apiserver and kubectl" >&2; exit 1; }
	@JUDGES=$$(sh tools/judges.sh) && export JUDGES && npm run --silent judge

demo: install build ## the real daemon on a cluster and registries of its own; STAY=1 leaves them up
	@npm run --silent demo -- $(if $(STAY),--stay)

bench: install build ## figures: start, memory, copying
	@npm run --silent bench

plan: build ## what would happen to kubectl's cluster: BACKUP_REGISTRY=host/prefix, ARGS=--check
	@$(NODE) dist/main.mjs plan $(ARGS)

package: install ## the npm package, for people who want the command
	@npm pack --silent --foreground-scripts=false

image: ## the container image: IMAGE=name:tag; BASE=, BUILDER= and BUILD_FLAGS= if need be
	@builder="$(BUILDER)"; \
	for it in docker podman buildah; do [ -n "$$builder" ] || ! $$it info >/dev/null 2>&1 || builder=$$it; done; \
	[ -n "$$builder" ] || { echo "make image needs docker, podman or buildah, and none of them works here" >&2; exit 1; }; \
	set -x; $$builder build $(BUILD_FLAGS) $(if $(BASE),--build-arg BASE=$(BASE)) -t $(or $(IMAGE),image-cloner:latest) -f Dockerfile .

deploy: ## to kubectl's cluster: IMAGE= and, the first time, BACKUP_REGISTRY= and DOCKER_CONFIG_JSON=path
	@KUBECTL="$(KUBECTL)" IMAGE="$(IMAGE)" BACKUP_REGISTRY="$(BACKUP_REGISTRY)" DOCKER_CONFIG_JSON="$(DOCKER_CONFIG_JSON)" \
	  sh tools/deploy.sh

undeploy: ## takes the controller out of the cluster; the workloads stay as they are
	@KUBECTL="$(KUBECTL)" sh tools/undeploy.sh

clean: ## what can be made again
	rm -rf dist coverage node_modules
