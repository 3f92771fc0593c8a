# Everything a fresh machine needs is python3 (3.11 or newer) and make.
#   make run     the cart service on http://localhost:8000      make run ARGS="--port 8123"
#   make test    all tests, on real engines
#   make test-outside   with other people's programs: nginx, Apache, Java, curl
#   make test-matrix    the tests that depend on it, with the oldest and newest of each library
#   make soak    the proofs that draw at random, long; ECART_SEED repeats a run
#   make check   format, lint, layers, types
#   make bench   what it costs, as ratios   make bench ARGS="library --only add --rounds 3"
#   make screenshots    the pictures of docs/images, taken anew with Chromium
#   make lock    the hashed requirements again, from pyproject.toml

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
# Two more than there are cores: many tests wait, for a deadline or for an engine to give up.
JOBS ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 2)))
ARGS ?=

.PHONY: run test test-outside test-matrix soak bench screenshots check format lock clean
.DELETE_ON_ERROR:

run: .venv/run.stamp
	@exec $(BIN)/ecart serve --data-dir .ecart $(ARGS)

test: .venv/dev.stamp
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

test-outside: .venv/dev.stamp
	$(BIN)/python -m pytest server/tests/outside $(ARGS)

test-matrix: .venv/made.stamp
	@$(BIN)/python tests/matrix.py $(ARGS)

soak: .venv/dev.stamp
	ECART_SOAK=1 $(BIN)/python -m pytest -n $(JOBS) -s --timeout 7200 \
		tests/conformance/test_agreement.py tests/faults server/tests/service/test_bots.py tests/http/test_openapi.py \
		server/tests/cli/test_transfer.py server/tests/transfer server/tests/cart_index \
		tests/http/test_sessions.py::test_many_reads_write_nothing $(ARGS)

# The run wants the machine for itself, and nothing of what only tests need.
bench: .venv/run.stamp
	@$(BIN)/python -m benchmarks $(ARGS)

screenshots: .venv/dev.stamp
	@$(BIN)/python server/tests/browser/screenshots.py

check: .venv/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

format: .venv/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# uv writes one lock for all systems and versions; --no-emit keeps addresses and this checkout out.
COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-header --no-emit-index-url --no-emit-find-links \
	--no-emit-package ecart --no-emit-package ecart-server --group pyproject.toml:build
lock: .venv/made.stamp
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) server/pyproject.toml --extra fast -o requirements/run.txt
	$(COMPILE) pyproject.toml server/pyproject.toml --all-extras --group pyproject.toml:test --group pyproject.toml:check \
		-c requirements/run.txt -o requirements/dev.txt

clean:
	rm -rf .venv .matrix .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/made.stamp:
	@test -n "$(PYTHON)" || { echo "ecart needs Python 3.11 or newer as python3"; exit 1; }
	@$(PYTHON) -m venv .venv || { \
		echo "python3 cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }
	@touch $@

.venv/run.stamp: .venv/made.stamp requirements/run.txt pyproject.toml server/pyproject.toml
	@echo "setting up (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e ./server
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
