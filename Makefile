# Needs Python 3.11 or newer with its venv module, make and git. Everything else is installed into .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Each of these, set by a machine, hides a fault or brings in modules from elsewhere.
unexport PYTHONUNBUFFERED PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK := 1

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Which interpreter $(VENV) is made with; the first that is at least 3.$(MINOR) when nothing is said.
PYTHON ?= python3.14 python3.13 python3.12 python3.11 python3
MINOR := 11

.PHONY: help install page run cluster test test-all test-newest chaos check fix schema bench screenshots lock migrations clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' Makefile | while read -r name what; do \
		printf '  make %-12s %s\n' "$$name" "$$what"; done

install: $(STAMP) ## Install Playcast and all that its tests need into .venv

# The stamp holds the place it was made for: an environment that moved with its checkout points to the old one.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

$(STAMP): pyproject.toml requirements/dev.txt
	@[ "$$(cat $@ 2>/dev/null)" = '$(CURDIR)' ] && $(BIN)/python -c '' 2>/dev/null && exit 0; \
	for python in $(PYTHON); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, $(MINOR)))' 2>/dev/null || continue; \
		found=$$python; \
		"$$python" -c 'import venv, ensurepip' 2>/dev/null || continue; \
		echo "Making $(VENV) with $$("$$python" --version)"; \
		exec "$$python" -m venv --clear $(VENV); \
	done; \
	if [ -n "$$found" ]; then \
		echo "Playcast needs the venv module, which $$found lacks (Debian, Ubuntu: apt install python3-venv)." >&2; \
	else \
		echo "This needs Python 3.$(MINOR) or newer; tried $(PYTHON). Name another: make PYTHON=/a/path" >&2; \
	fi; exit 1
	@echo 'Installing the pinned packages'
	@$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@printf '%s\n' '$(CURDIR)' >$@

page: $(STAMP) ## Build the page into web/dist, if anything of it has changed
	@$(BIN)/python web/build.py

# Ctrl-C would stop make too, which then reports a failure. So the server takes the terminal's foreground for
# itself: it alone gets the signal, and its clean end is make's. Without a terminal it is started as it is.
define FOREGROUND
import os, signal, sys
if os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp():
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
del os.environ["FOREGROUND"]
os.execv(sys.argv[1], sys.argv[1:])
endef

run: export FOREGROUND := $(FOREGROUND)
run: $(STAMP) ## Start Playcast with a demo to play with; Ctrl-C ends it
	@$(BIN)/python web/build.py || echo 'Going on without the page; the API does not need it.' >&2
	@exec $(BIN)/python -c "$$FOREGROUND" $(BIN)/playcast serve --demo

cluster: $(STAMP) ## Start PostgreSQL, two servers and three workers on this machine; Ctrl-C ends them
	@$(BIN)/python web/build.py || echo 'Going on without the page; the API does not need it.' >&2
	@exec $(BIN)/python -m bench.tools.cluster

# How many tests run at a time. Most wait for ansible or sshd, but two cores have no more to give.
jobs ?= 3

# Most of the time goes to the slow tests of tests/slow.toml, so one of each file is drawn, others with each commit.
# `sample=word` draws others, `sample=` takes all, and whoever names tests in `args` gets what is named. `files` says
# which files are drawn from.
sample ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo none)
drawn = $(if $(args),,$(if $(sample),--sample=$(sample)))

# It takes time, and nobody reads it there.
cover := $(if $(CI),,--cov --cov-append --cov-report=)

# Seconds until one that stands still is ended.
patience ?= 2400

# SQLite and PostgreSQL in processes of their own: the ORM caches SQL per connection name, not per database.
# pytest-timeout cannot stop a process that does not exit, timeout can; --foreground lets Ctrl-C through.
test: page ## Run the tests, a sample of the slow ones; args="-k word" goes to pytest, jobs=0 runs them one by one
	@limit=; \
	if command -v timeout >/dev/null; then \
		limit='timeout --kill-after=30 $(patience)'; \
		[ ! -t 0 ] || limit='timeout --foreground --kill-after=30 $(patience)'; \
	fi; \
	ran=; failed=; \
	suite() { \
		echo "== Tests $$1"; \
		$$limit $(BIN)/pytest -m "$$2" -n $$3 --dist worksteal $(cover) $(drawn) $(files) $(args); \
		case $$? in 0) ran=1 ;; 5) ;; 124 | 137) failed=1; echo 'Stopped after $(patience) s.' ;; *) failed=1 ;; esac; \
	}; \
	[ -z '$(cover)' ] || $(BIN)/coverage erase; \
	suite 'on SQLite' 'not postgres and not alone' $(jobs); \
	suite 'on SQLite that must run alone' 'not postgres and alone' 0; \
	suite 'on PostgreSQL' postgres $(jobs); \
	[ -z '$(cover)' ] || $(BIN)/coverage report; \
	[ -n "$$ran" ] && [ -z "$$failed" ]

test-all: ## Run all the tests, each at its full length and with both lines of ansible-core, as before a release: two hours
	@LONG_TESTS=1 $(MAKE) test sample= patience=5400
	@$(MAKE) chaos
	@$(MAKE) test-newest sample= patience=5400

# The lock file holds the oldest ansible-core for Python 3.11, and the newest for the Pythons that it needs.
NEWEST = VENV=.venv-newest MINOR=12 COVERAGE_FILE=.venv-newest/.coverage TEST_LAUNCHER=warm
ifeq ($(origin PYTHON),file)
NEWEST += PYTHON='python3.14 python3.13 python3.12 $(shell ls -vrd $$HOME/.pyenv/versions/3.1[2-9]*/bin/python 2>/dev/null)'
endif

test-newest: ## Run the tests with the newest ansible-core, in .venv-newest; ansible=2.22.0rc1 takes that one
	@$(MAKE) $(NEWEST) install
	@$(if $(ansible),.venv-newest/bin/pip install --quiet --no-deps 'ansible-core==$(ansible)')
	@.venv-newest/bin/ansible --version | head -n 1
	@$(MAKE) $(NEWEST) test

# CHAOS_SEED=… repeats the moments of a run.
chaos: $(STAMP) ## Kill the server 60 times while 20 jobs print, and hold out bad conditions at full length
	@CHAOS=long timeout --foreground --kill-after=30 3600 $(BIN)/pytest -s tests/jobs/test_chaos.py $(args)
	@CHAOS=long timeout --foreground --kill-after=30 3600 $(BIN)/pytest $(args) \
		tests/jobs/test_bad_conditions.py tests/jobs/test_bad_directories.py tests/api/test_clients_that_leave.py
	@CHAOS=long timeout --foreground --kill-after=30 3600 $(BIN)/pytest tests/cluster/test_faults.py $(args)

check: $(STAMP) ## Check style, types (the page's too) and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python web/build.py check

fix: $(STAMP) ## Mend what the style check can mend by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

schema: $(STAMP) ## Write schema.graphql from the code
	@$(BIN)/playcast schema >schema.graphql.new && mv schema.graphql.new schema.graphql || \
		{ rm -f schema.graphql.new; exit 1; }

bench: $(STAMP) ## Measure against plain ansible-playbook
	@$(BIN)/python -m bench

screenshots: page ## Take the pictures of the README anew, with Chromium
	@$(BIN)/python -m bench.tools.screenshots

# Pins move only with upgrade=1. Packages are named by version and hash alone, so any index may serve them.
LOCK := pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header $(if $(upgrade),--upgrade)

lock: $(STAMP) ## Write requirements/*.txt from pyproject.toml; upgrade=1 takes the newest versions
	@set -e; new=$$(mktemp -d); trap 'rm -rf "$$new"' EXIT; \
	$(BIN)/python -m venv "$$new/uv" && "$$new/uv/bin/pip" install --quiet 'uv>=0.13,<0.14'; \
	lock() { \
		cp "requirements/$$1.txt" "$$new/" 2>/dev/null || true; \
		"$$new/uv/bin/uv" $(LOCK) $$2 --output-file "$$new/$$1.txt" pyproject.toml >/dev/null; \
		{ echo "# What $$3 installs, for every Python from 3.11 on. Written by: make lock"; cat "$$new/$$1.txt"; } \
			| awk 'NR == 1 || !/^#/' >"$$new/done"; \
		cat "$$new/done" >"requirements/$$1.txt"; \
	}; \
	lock runtime '--extra cluster' 'the container image'; \
	lock dev '--extra dev' 'make install'

migrations: $(STAMP) ## Draft the migrations of a changed model for both databases; name=what_changed
	@[ -n "$(name)" ] || { echo 'Say what changes: make migrations name=add_server_port' >&2; exit 2; }
	@$(BIN)/python -m migrations.make '$(name)'

clean: ## Remove .venv, caches and build output; data/ and jobs/ stay
	rm -rf .venv .venv-newest .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist htmlcov \
		web/dist web/.test web/node_modules web/src/generated
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
