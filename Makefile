# The commands of this project. CI runs `make test`, and then the rehearsal on a throw-away Kubernetes (.ci/run).

export PATH := $(PATH):$(HOME)/.cargo/bin
DATA_DIR ?= .data
export DATA_DIR

PROGRAMS := $(abspath $(or $(CARGO_TARGET_DIR),target))/debug
PIPELINE := standalone votectl producer consumer dashboard host canary

# The cargo profile with which make up builds.
PROFILE := release

.DEFAULT_GOAL := help
.PHONY: help up check test bench chaos images cluster cluster-stop fuzz docs generate fmt clean-data

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo '  Settings of make up: VOTE_PORT RESULTS_PORT HOST_PORT PUBLIC_URL RESULTS_URL DEFAULT_POLL METRICS_PORT DATA_DIR OPTION_A OPTION_B CONSUMERS CLUSTER REDIS_SERVER'
	@echo '  OBSERVE=1 also starts a canary, Prometheus and Alertmanager, and Grafana where it is installed: PROMETHEUS_PORT ALERTMANAGER_PORT GRAFANA_PORT'
	@echo '  PROFILE=dev builds faster; the programs are slower'
	@echo '  for example: make up VOTE_PORT=8000 OPTION_A=Tea OPTION_B=Coffee'
	@echo '  make bench BENCH="ballots --rounds 1" runs one part of the benchmark'
	@echo '  make chaos DURATION=1h SEED=7 FAULTS=redis-kill,net-cut selects duration, schedule and faults'

up: ## run the whole pipeline on this machine; Ctrl-C stops it and keeps the votes
	@bin/install rust build servers $(if $(OBSERVE),observe)
	@cargo build --profile $(PROFILE) $(PIPELINE:%=--bin %)
	@exec "$${CARGO_TARGET_DIR:-target}/$(PROFILE:dev=debug)/standalone"

# The programs are linked statically, as the images hold them: one build serves the checks, the tests and the containers.
check test: export RUSTC_WORKSPACE_WRAPPER := $(abspath containers/rustc-static)

check: ## run the format, the lints, and the unit and property tests; starts no server
	@bin/install rust build
	@bin/stage --begin
	@bin/stage 'format' cargo fmt --all --check
	@bin/stage 'lints' cargo clippy --workspace --all-targets -- -D warnings
	@bin/stage 'unit and property tests' cargo test --quiet --workspace --lib --bins
	@bin/stage 'structure and words' cargo test --quiet --workspace --test architecture
	@bin/stage --end

test: export TESTKIT_BINARIES := $(PROGRAMS)
# Most tests wait for timers and other processes, so two for each processor run at a time.
test: export RUST_TEST_THREADS ?= $(shell echo $$((2 * $$(nproc))))
test: ## run every check and test that needs no Kubernetes
	@bin/stage --begin
	@bin/stage 'missing packages' bin/install rust build servers tests other-servers supply k8s observe
	@bin/stage 'format' cargo fmt --all --check
	@bin/stage 'format of the fuzz targets' cargo fmt --manifest-path fuzz/Cargo.toml --check
	@bin/stage 'lints' cargo clippy --workspace --all-targets -- -D warnings
	@bin/stage 'documentation' env RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace
	@bin/stage 'supply chain' bin/supply
	@bin/stage 'dashboards and alerts' grafana/check
	@bin/stage 'programs' cargo build --workspace --bins
	@bin/stage 'test programs' cargo test --quiet --workspace --no-run
	@bin/stage 'tests' bin/tests
	@bin/stage 'tests on Valkey and a newer Redis' bin/other-servers
	@bin/stage 'fuzzing, for a few seconds' env -u RUSTC_WORKSPACE_WRAPPER bin/fuzz 8
	@bin/stage 'Kubernetes manifests' env PROGRAMS='$(PROGRAMS)' k8s/check
	@bin/stage 'tools for containers' bin/install containers
	@bin/stage 'tools for containers, pinned' containers/install
	@bin/stage 'containers' containers/check
	@bin/stage --end

bench: ## measure the pipeline and its baselines, and write bench/RESULTS.md
	@bin/install rust build servers bench
	cargo build --release --workspace --bins
	@exec "$${CARGO_TARGET_DIR:-target}/release/bench" $(BENCH)

images: ## build and check the images of the programs; compiles them twice and compares
	@bin/install rust build containers
	@containers/install
	@containers/compile .cache/containers/released
	@containers/reproduce .cache/containers/released
	@containers/build .cache/containers/released
	@containers/tests/test_images.py .cache/containers/released --released

cluster: ## start a throw-away Kubernetes with NODES=1 or 3 nodes, for k8s/rehearse
	@k8s/cluster/engine >/dev/null
	@bin/install rust build containers cluster
	@containers/install
	@k8s/cluster/images
	@k8s/cluster/run $(or $(NODES),1)

cluster-stop: ## stop the throw-away Kubernetes
	@k8s/cluster/stop

chaos: ## inject faults for DURATION on a schedule drawn from SEED, and audit the votes
	@bin/install rust build servers chaos
	cargo build --release $(PIPELINE:%=--bin %) --bin chaos
	@exec "$${CARGO_TARGET_DIR:-target}/release/chaos" $(CHAOS)

docs: ## write docs/METRICS.md and docs/SETTINGS.md from the tables in the code
	WRITE_GENERATED=1 cargo test --quiet --workspace --test metrics_document --test settings_document

generate: docs ## write all generated files: docs, dashboards, alert rules, the load tester's golden reports, copies in k8s/
	WRITE_GENERATED=1 cargo test --quiet --workspace --test it -- reports::
	grafana/generate
	k8s/check copy

fuzz: ## fuzz one parser for longer: make fuzz TARGET=form SECONDS=600
	@bin/install rust build tests
	@bin/fuzz $(or $(SECONDS),60) $(TARGET)

fmt: ## format the code
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml

clean-data: ## delete the votes and all other data of make up
	@[ ! -e "$(DATA_DIR)/lock" ] || flock -n "$(DATA_DIR)/lock" true || \
		{ echo "$(DATA_DIR) is in use: stop make up first"; exit 1; }
	@home=$$(cat "$(DATA_DIR)/run/postgres.home" 2>/dev/null); \
	case $$home in /var/lib/votestream/?*/postgres) rm -rf "$${home%/postgres}" ;; esac
	rm -rf "$(DATA_DIR)/postgres" "$(DATA_DIR)/redis" "$(DATA_DIR)/redis-cluster" "$(DATA_DIR)/log" "$(DATA_DIR)/run" \
		"$(DATA_DIR)/prometheus" "$(DATA_DIR)/alertmanager" "$(DATA_DIR)/grafana" "$(DATA_DIR)/secrets" "$(DATA_DIR)/env" "$(DATA_DIR)/lock"
	@rmdir "$(DATA_DIR)" 2>/dev/null || true
