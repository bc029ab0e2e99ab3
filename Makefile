# The one definition of every check: people and CI call the same recipes. `make help` lists them.
#
# `make run` and `make test` are all that a fresh Debian or Ubuntu machine with Rust, git and make needs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
# What scripts/prepare.sh printed for cargo: the largest feature set that this machine can build.
FLAGS = $$(cat target/.flags)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-12s %s\n", $$1, $$2 }'

.PHONY: ready-build ready-test media
ready-build:
	@mkdir -p target && scripts/prepare.sh build > target/.flags
ready-test:
	@mkdir -p target && scripts/prepare.sh test > target/.flags
media: ready-test
	@tests/media/make.sh target/media || true

.PHONY: run
run: ready-build ## build with optimisation and open the window; without a display, show a meeting of three
	@[ -x target/release/lets-meet ] || echo "Building with optimisation: about 15 minutes on two cores, once."
	@$(CARGO) build --release --locked $(FLAGS)
	@if [ -n "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ] && [ -z "$(FLAGS)" ]; then target/release/lets-meet; \
	    else target/release/lets-meet demo --headless; fi

.PHONY: dist
dist: ready-build ## one archive and a .deb in dist/ (built with optimisation)
	@$(CARGO) build --release --locked
	@scripts/dist.sh

.PHONY: dist-test
dist-test: ## start what make dist made in a bare Debian without Rust or network (root; debootstrap)
	@scripts/dist-test.sh

.PHONY: test
test: ready-test media ## all tests: units, rules, simulation, network, windows, lab
	@echo "Building the tests: about 6 minutes on two cores the first time; running them: about 10."
	@$(CARGO) test --locked $(FLAGS) --no-run
	@scripts/test.sh $(FLAGS)

.PHONY: test-build
test-build: ready-test ## build what `make test` runs
	@$(CARGO) test --locked $(FLAGS) --no-run

.PHONY: lab
lab: ready-test media ## the lab alone: real processes on hosts of their own (ARGS="name" for some)
	@$(CARGO) test --locked $(FLAGS) --test lab -- --test-threads=1 $(ARGS)

.PHONY: bench
bench: ready-build ## measure what is published: latency, loss, jitter, CPU, each beside its goal (ARGS="loss --runs 5"; release build)
	@$(CARGO) build --release --locked $(FLAGS)
	@target/release/lets-meet bench $(ARGS)

.PHONY: bench-peers
bench-peers: ready-build ## the same beside Chromium, in the same run over the same links (needs node, playwright-core and chromium)
	@for tool in node chromium; do command -v $$tool >/dev/null || { echo "make bench-peers needs $$tool; install it, or run make bench."; exit 1; }; done
	@node -e 'require("playwright-core")' 2>/dev/null || { echo "make bench-peers needs playwright-core; run npm install playwright-core somewhere and set NODE_PATH to its node_modules."; exit 1; }
	@$(CARGO) build --release --locked $(FLAGS)
	@target/release/lets-meet bench --beside benches/peers/chromium $(ARGS)

.PHONY: window
window: ready-test ## the real window on a display of its own, driven by mouse and keys (ARGS="name" for some)
	@$(CARGO) test --locked --test window -- $(ARGS)

.PHONY: screenshots
screenshots: ready-test ## each screen in three sizes in target/tmp/window, and the pictures of the README
	@$(CARGO) test --locked --test window -- shots
	@mkdir -p docs/pictures
	@cp target/tmp/window/lobby-1280x800.png docs/pictures/lobby.png
	@cp target/tmp/window/panel-chat-1280x800.png docs/pictures/meeting.png

.PHONY: check
check: ready-build ## format, lints for two feature sets, the rules of the tree, spelling
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings
	@if [ -z "$(FLAGS)" ]; then set -x; $(CARGO) clippy --locked --all-targets -- -D warnings; \
	    else echo "Left out: clippy with pictures and sound, see above."; fi
	$(CARGO) test --locked $(FLAGS) --test tidy
	@scripts/typos.sh

.PHONY: soak
soak: ready-test media ## half an hour: a meeting of three and a window with four tiles whose memory must stay flat
	$(CARGO) test --locked $(FLAGS) --test lab -- --test-threads=1 --ignored --nocapture soak
	@if [ -z "$(FLAGS)" ]; then set -x; $(CARGO) test --locked --test window -- --ignored --nocapture soak; fi

.PHONY: fuzz
fuzz: ready-build ## every decoder under a fuzzer, SECONDS each (default 60)
	@scripts/fuzz.sh $${SECONDS_EACH:-60}

.PHONY: audit
audit: ready-build ## cargo-deny with advisories, and unused dependencies (builds both tools once: about 10 minutes)
	@scripts/audit.sh

.PHONY: dev-cert
dev-cert: ## a key and certificate for trying things out, in certs/ (never committed)
	@certs/make-dev-cert.sh
