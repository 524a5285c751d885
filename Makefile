SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# dockerd and iptables are there, and not in everybody's PATH.
export PATH := $(PATH):/usr/sbin:/sbin

# Two packages at a time: an Engine test waits more than it works, three starve
# the Swarms of a small machine. One package's Engine tests take minutes.
TESTFLAGS ?= -p 2 -parallel 4 -timeout 45m

# Packages without an Engine, where the race detector is worth its price.
RACE = $$(go list ./... | grep -v -e /swarmlab -e /reconcile/engine)

.PHONY: bin/swarmsim help build demo recording conformance reality test race lint fmt clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

build: ## bin/swarmward
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/swarmward ./cmd/swarmward

bin/swarmsim: build # a Go module of its own
	cd cmd/swarmsim && CGO_ENABLED=0 go build -trimpath -o ../../bin/swarmsim .

demo: bin/swarmsim ## see it work: the main job on a Swarm in one process, without Docker
	@bin/swarmsim -- bin/swarmsim demo bin/swarmward desired-state.yaml

recording: bin/swarmsim ## write what the demo shows into README.md
	@bin/swarmsim -- bin/swarmsim demo bin/swarmward desired-state.yaml README.md

test: ## every test; on Debian as root also installs what Engine tests need
	@.ci/tools
	@.ci/gotest $(TESTFLAGS) ./...
	@cd cmd/swarmsim && ../../.ci/gotest $(TESTFLAGS) ./...
	@cd spec/oracle && ../../.ci/gotest $(TESTFLAGS) ./...

conformance: ## what Swarm does, row by row, on swarmsim and on a real dockerd side by side
	@cd reconcile/engine/swarmlab/conformance && go test -count=1 -parallel 4 -timeout 7m -run '^TestConformance$$' -args -table

reality: ## the checks on real Traefik and Centrifugo, built from source, instead of stand-ins
	@.ci/tools
	@.ci/reality bin/reality
	@SWARMWARD_REALITY=$(CURDIR)/bin/reality .ci/gotest -tags reality -count=1 -p 1 -parallel 2 -timeout 20m -run '^Test(Centrifugo|Route|Traefik|Websocket|Nodes)' ./reconcile/check ./reconcile/engine/swarmlab/standin ./reconcile/engine/swarmlab/reality
	@SWARMWARD_REALITY=$(CURDIR)/bin/reality .ci/gotest -tags reality -count=1 -timeout 20m -run '^Test(Whatrack|RealTraefik)$$' ./cmd/swarmward

race: ## the tests of packages without an Engine, under the race detector
	go test -race -timeout 7m $(RACE)

bench: ## load, lower and diff at 10, 100, 1000 services, and a table beside docker stack deploy
	@.ci/tools
	go test -run '^$$' -bench . -benchmem ./spec ./reconcile
	go test -run '^$$' -bench 'StackDeploy|Controller' -benchtime 1x -timeout 2h ./cmd/swarmward

soak: ## a controller that is given no rest, for half an hour
	SWARMWARD_SOAK=$${SWARMWARD_SOAK:-30m} go test -count=1 -v -run '^TestSoak$$' -timeout 3h ./cmd/swarmward

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change (make fmt does it):"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go vet -tags reality ./cmd/swarmward ./reconcile/engine/swarmlab/reality
	go tool staticcheck -tags reality ./...
	cd cmd/swarmsim && go vet ./...
	cd spec/oracle && go vet ./...

fmt: ## gofmt on every file
	gofmt -w $$(git ls-files '*.go')

clean: ## what make build made
	rm -rf bin
