# SPDX-License-Identifier: MIT
# Short names for the commands that people type; each sets up what it needs. CMake does the work.
.DEFAULT_GOAL := release
.PHONY: release run test bench install check clean help

JOBS := $(shell nproc)
PREFIX ?= /usr/local

release: ## build the command and the libraries: build/release/{lido,liblido.so,liblido.a}
	@scripts/setup
	@cmake --preset release >/dev/null
	@cmake --build build/release --target products

run: release ## find connascence in the standard library of python3
	build/release/lido run inspect --rules workloads/inspect/rules --db build/inspect.db

test: ## build everything with warnings as errors and run every test
	@scripts/setup test
	@cmake --preset dev >/dev/null
	@cmake --build --preset dev
	@ctest --preset dev --parallel $(JOBS)

bench: ## measure lido beside its peers, which are installed for that; JSON in artifacts/
	@scripts/setup bench
	@cmake --preset release >/dev/null
	@cmake --build build/release --target products benches
	@mkdir -p artifacts
	build/release/lido bench --json artifacts/bench.json

# As root it must not leave anything in a user's folder that the user cannot replace: it builds only where nothing
# was built, and CMake's list of what was installed goes to the folder's owner.
install: $(if $(wildcard build/release/lido),,release) ## copy command, libraries, headers to PREFIX (default /usr/local) below DESTDIR
	cmake --install build/release --prefix "$(PREFIX)"
	@chown --reference=build/release build/release/install_manifest.txt

check: ## the static checks: rules of the house, clang's warnings, clang-tidy, cppcheck
	@scripts/setup check
	@scripts/static-checks

clean: ## remove what was built; what was set up stays
	rm -rf build artifacts

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10
