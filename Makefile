# Everything a person or CI does with Hearth. `make` lists it.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION     = $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS     = -s -w -X main.version=$(VERSION)
BUILD       = CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)"
FUZZTIME   ?= 20s

.PHONY: help build run test check race bench fuzz cross e2e clean

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## both programs into .bin
	@mkdir -p .bin
	$(BUILD) -o .bin/ ./edge/hearth-edge ./cloud/hearth-cloud

run: build ## a receiver and a gateway with a simulated home, on loopback; prints the links to both pages
	@scripts/run

test: ## all tests that need nothing but Go
	go test ./...

race: ## the same with the race detector (needs a C compiler)
	go test -race ./...

check: ## formatting, vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted"; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) -checks=all,-ST1000,-ST1020,-ST1021 ./...

bench: ## speed, size and memory, each beside its limit or peer
	@scripts/bench

fuzz: ## every fuzz target for FUZZTIME
	@scripts/fuzz $(FUZZTIME)

cross: ## static binaries for every kind of gateway into dist, with their sizes
	@scripts/cross

e2e: build ## with real peers: brokers, databases, serial slaves, a browser; installs what it needs
	@scripts/e2e

clean: ## what the other targets made
	rm -rf .bin .run dist
