# `make` lists the targets.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

MODULE := github.com/spanlake/spanlake
TOOLS  := $(CURDIR)/.tools
BIN    := $(TOOLS)/bin

# The builder writes its own version of the Collector into the binary's go.mod,
# so it equals the Collector's.
OCB_VERSION       := v0.161.0
GOLANGCI_VERSION  := v2.15.0

SPANLAKE_DATA ?= ./data
CONFIG        ?= config/local.yaml
FORMAT        ?= table
FUZZTIME      ?= 20s
CRASH_ROUNDS  ?= 100
# Above the memory_limiter's limit in config/local.yaml less what is not heap.
GOMEMLIMIT    ?= 1200MiB
export GOMEMLIMIT

# DuckDB is C++; bin/spanlake itself is built without cgo.
CXX_HINT := spanlake-sql embeds DuckDB and needs a C++ compiler: install the package g++ (Debian, Ubuntu), gcc-c++ (Fedora) or the Xcode command line tools

GENERATED := /(generated_[^/]*|internal/metadata(test)?/[^/]*)\.go$$

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

## Use

.PHONY: run
run: build ## Build and start the collector with CONFIG=config/local.yaml (Ctrl-C ends it)
	@if [[ -z "$${SPANLAKE_TOKEN:-}" ]]; then \
		export SPANLAKE_TOKEN=local-dev-token; \
		echo "SPANLAKE_TOKEN is not set: using the token local-dev-token (loopback only)"; \
	fi; \
	export SPANLAKE_DATA='$(SPANLAKE_DATA)'; \
	echo "OTLP on localhost:4317 (gRPC) and localhost:4318 (HTTP), Parquet in $(SPANLAKE_DATA)/lake"; \
	exec bin/spanlake --config '$(CONFIG)'

.PHONY: sql
sql: bin/spanlake-sql ## Query the store: make sql Q='select …' [FORMAT=table|csv|json|parquet]; a prompt without Q
	@bin/spanlake-sql --data '$(SPANLAKE_DATA)/lake' --format '$(FORMAT)' $(if $(value Q),"$$SPANLAKE_QUERY")
# By way of the environment and unexpanded, because SQL is full of quotes and $.
sql: export SPANLAKE_QUERY = $(value Q)

## Build

.PHONY: build
build: bin/spanlake bin/spanlake-sql ## Build bin/spanlake (ocb) and bin/spanlake-sql

.PHONY: bin/spanlake
bin/spanlake: $(TOOLS)/ocb-$(OCB_VERSION)
	@mkdir -p bin
	@$(BIN)/builder --config builder-config.yaml >bin/ocb.log 2>&1 || { cat bin/ocb.log; exit 1; }
	@cp -f _build/spanlake bin/spanlake.tmp && mv -f bin/spanlake.tmp bin/spanlake

.PHONY: bin/spanlake-sql
bin/spanlake-sql: check-cxx
	@CGO_ENABLED=1 go build -trimpath -ldflags '-s -w' -o bin/spanlake-sql ./cmd/spanlake-sql

.PHONY: check-cxx
check-cxx:
	@command -v "$${CXX:-g++}" >/dev/null || command -v c++ >/dev/null || { echo "$(CXX_HINT)" >&2; exit 1; }

.PHONY: generate
generate: $(TOOLS)/mdatagen-$(shell sha256sum internal/tools/go.sum 2>/dev/null | cut -c1-12) ## Write the generated files anew (mdatagen)
	@PATH="$(BIN):$$PATH" go generate ./...
	@$(MAKE) fmt

## Check

.PHONY: fmt
fmt: $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION) ## Format every Go file
	@$(BIN)/golangci-lint fmt

.PHONY: check-fmt
check-fmt: $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION) ## Fail where a Go file is not formatted
	@$(BIN)/golangci-lint fmt --diff || { echo "not formatted: make fmt"; exit 1; }

.PHONY: check-generate
check-generate: ## Fail where generated files or go.mod are not up to date
	@before=$$($(MAKE) -s generated-state); $(MAKE) generate; go mod tidy -diff; \
	after=$$($(MAKE) -s generated-state); \
	[[ "$$before" == "$$after" ]] || { echo "generated files were not up to date (make generate):"; diff <(echo "$$before") <(echo "$$after"); exit 1; }

.PHONY: generated-state
generated-state:
	@git ls-files --cached --others --exclude-standard | grep -E '$(GENERATED)|documentation\.md$$' | sort | xargs sha256sum

.PHONY: lint
lint: $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION) ## golangci-lint
	@$(BIN)/golangci-lint run ./...

.PHONY: test
test: build ## The whole test suite with the race detector, end to end included
	@CGO_ENABLED=1 go test -race ./...

.PHONY: validate
validate: bin/spanlake ## The built binary validates every shipped configuration
	@for f in config/*.yaml; do \
		echo "validate $$f"; SPANLAKE_TOKEN=validate-only-token bin/spanlake validate --config "$$f"; \
	done

.PHONY: ci
ci: check-fmt check-generate lint test validate ## What .ci/run runs

## Measure

.PHONY: crash
crash: build ## Kill the collector CRASH_ROUNDS=100 times, under load and then in upkeep, and compare the lake with what was acknowledged
	@CRASH_ROUNDS='$(CRASH_ROUNDS)' go test ./e2e -run '^TestCrash' -count 1 -timeout 0 -v
	@CRASH_ROUNDS='$(CRASH_ROUNDS)' go test ./cmd/spanlake-sql/internal/crashtest -count 1 -timeout 0 -v

.PHONY: fuzz
fuzz: check-cxx ## Run every fuzz target for FUZZTIME=20s
	@for file in $$(git grep -lE '^func Fuzz' -- '*_test.go'); do \
		for target in $$(grep -oE '^func Fuzz[A-Za-z0-9_]*' "$$file" | cut -d' ' -f2); do \
			echo "fuzz $$(dirname "$$file") $$target"; \
			go test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$$target$$" -fuzztime '$(FUZZTIME)' -fuzzminimizetime 10x; \
		done; \
	done

.PHONY: bench
bench: bench-lake build ## Measure the lake, and compare whole processes with a stock collector (bench/README.md)
	@go run ./bench $(BENCHFLAGS)

.PHONY: bench-lake
bench-lake: check-cxx ## Write, compact and query 10 million spans (bench/README.md)
	@go run ./cmd/spanlake-sql/lakebench $(LAKEFLAGS)

.PHONY: overload
overload: build ## Offer ten times what memory holds for 5 minutes: memory within bounds, books in balance (bench/README.md)
	@go run ./bench/overload $(BENCHFLAGS)

.PHONY: startup
startup: build ## Restart with 5 million undecided spans in the journal within 10 s (bench/README.md)
	@go run ./bench/startup $(BENCHFLAGS)

.PHONY: microbench
microbench: ## Run every Go benchmark once with allocations
	@go test -run '^$$' -bench . -benchmem ./...

.PHONY: clean
clean: ## Remove what was built; data and tools stay
	@rm -rf bin _build bench/_build bench/_work

## Tools, by pinned version

$(TOOLS)/ocb-$(OCB_VERSION): PKG = go.opentelemetry.io/collector/cmd/builder@$(OCB_VERSION)
$(TOOLS)/golangci-lint-$(GOLANGCI_VERSION): PKG = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
$(TOOLS)/ocb-% $(TOOLS)/golangci-lint-%:
	@echo "install $(PKG)"
	@GOBIN=$(BIN) go install $(PKG)
	@touch $@

# mdatagen cannot be installed by version; internal/tools pins it.
$(TOOLS)/mdatagen-%:
	@echo "install mdatagen"
	@cd internal/tools && GOBIN=$(BIN) go install tool
	@touch $@
