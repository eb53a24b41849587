# `make help` lists what there is. Everything installs what it needs first.

PYTHON ?= python3
# On two cores: some of them always wait for a socket or a process.
WORKERS ?= 3
ROLE ?= customer
ID ?= u1
NAME ?=
RESTAURANTS ?=
CALLS ?= 10000
SECONDS ?= 300
SEEDS ?= 0-49
FAULTS ?= many
SKEW ?= 0

BIN := .venv/bin
APP := .venv/.installed
ENGINE_VENV := .venv-engine/.installed
FUZZ_VENV := .venv-fuzz/.installed
LOCK_VENV := .venv-lock/.installed
# For every Python and platform that Waybill is built on or for, in one file.
LOCK := .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.10 --upgrade \
	--generate-hashes --no-annotate --custom-compile-command 'make lock'

# Some machines say that none is written: then each of hundreds of processes compiles all anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup run test check fuzz demo simulate bench package lock secret deploy smoke bench-gateways bench-cold conformance \
	streams simulate-faults token clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(APP) $(ENGINE_VENV) ## install everything into .venv and .venv-engine

run: setup ## everything on this machine, http://127.0.0.1:8000 (ENGINE=moto: without ministack)
	@exec $(BIN)/python -m infra.local

test: setup ## all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

check: setup ## format, lint, types, architecture, the API's documents, the clients' types and size
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m infra.documents --check
	$(BIN)/python -m pytest -q tests/unit/test_architecture.py tests/unit/test_clients.py
	@if command -v npm >/dev/null; then cd clients/typescript && node build.mjs --check; \
	else echo "no npm here: the TypeScript client is not checked"; fi

demo: setup ## a city at work, on `make run` if that runs: make demo [URL=… SECRET=… | STAGE=prod | TOKENS=command]
	@SECRET='$(SECRET)' exec $(BIN)/python -m infra.demo $(if $(URL),--url '$(URL)') \
		$(if $(STAGE),--stage '$(STAGE)') $(if $(TOKENS),--tokens '$(TOKENS)')

simulate: setup ## a day of a city, to judge dispatch: SEED=1 ORDERS=10000 (docs/dispatch.md)
	@exec $(BIN)/python -m infra.simulate

bench: setup ## how long frames take here and as far from AWS as a region is wide, posts, cut links, costs
	@exec $(BIN)/python -m infra.bench

bench-gateways: setup ## the local gateway under load, beside serverless-offline
	@exec $(BIN)/python -m benchmarks

package: setup ## dist/sam.json and dist/deployment.zip for AWS (JWKS=1: with public keys; OUT=folder)
	@$(BIN)/python -m infra.package $(if $(JWKS),--jwks) $(if $(OUT),--out '$(OUT)')

lock: $(LOCK_VENV) ## renew the versions and hashes of what is shipped
	$(LOCK) --output-file requirements.lock requirements.txt
	$(LOCK) --output-file requirements-jwks.lock --constraints requirements.lock requirements-jwks.txt

secret: setup ## a stage's secret, made once: make secret STAGE=prod
	@$(BIN)/python -m infra.deploy secret $(STAGE)

deploy: setup ## the package, to AWS: make deploy STAGE=prod BUCKET=b [PARAMETERS="Domain=…"] [PACKAGE=folder]
	@$(BIN)/python -m infra.deploy stack $(STAGE) $(BUCKET) $(PARAMETERS) $(if $(PACKAGE),--package '$(PACKAGE)')

smoke: setup ## the stories, told to a stage: make smoke HOST=… [STAGE=prod | SECRET=… | TOKENS=command]
	@SECRET='$(SECRET)' $(BIN)/python -m infra.deploy.smoke '$(HOST)' $(if $(STAGE),--stage '$(STAGE)') $(if $(TOKENS),--tokens '$(TOKENS)')

bench-cold: setup ## what a cold start costs, measured on the package
	@$(BIN)/python -m infra.package --here --out dist/here
	@$(BIN)/python -m infra.package.cold dist/here/deployment.zip

conformance: setup ## the package, deployed to ministack as Lambda functions, and its stories
	@$(BIN)/python -m infra.package --here --out dist/here
	@exec $(BIN)/python -m infra.conformance dist/here

streams: setup ## one's own log over HTTP, judged by npm's suite for Durable Streams
	@npm install --silent --no-save --prefix dist/streams @durable-streams/server-conformance-tests@0.3.6
	@exec $(BIN)/python -m infra.conformance.streams dist/streams

simulate-faults: setup ## whole histories with faults, checked: SEEDS=0-300 FAULTS=some|many SKEW=60 (WAVES=1, HANDS=1, POSITIONS=1, TRACE=1)
	@exec $(BIN)/python -m tests.simulation --seeds $(SEEDS) --faults $(FAULTS) --skew $(SKEW) $(if $(WAVES),--waves) \
		$(if $(HANDS),--hands) $(if $(POSITIONS),--positions) $(if $(TRACE),--trace)

token: setup ## print a token: make -s token ROLE=courier ID=c1 NAME=Ana; ROLE=merchant ID=m1 RESTAURANTS=mill,lane
	@$(BIN)/python -m infra.local.tokens --role '$(ROLE)' --id '$(ID)' $(if $(NAME),--name '$(NAME)') \
		$(if $(RESTAURANTS),--restaurants '$(RESTAURANTS)')

fuzz: setup $(FUZZ_VENV) ## odd calls and frames, then 5 min by OpenAPI: make fuzz CALLS=10000 SECONDS=300
	FUZZ_CALLS=$(CALLS) $(BIN)/python -m pytest -q -p no:cacheprovider tests/functional/fuzz
	$(BIN)/python -m infra.documents.fuzz --seconds $(SECONDS)

clean: ## remove local data and caches, keep what is installed
	rm -rf .local .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

# The versions that are shipped are those that are tested: the lock's, without its hashes, as pip
# would want one for everything else too.
$(APP): requirements.txt requirements-jwks.txt requirements-dev.txt requirements-jwks.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Waybill needs Python 3.10 or newer, \
	this is %d.%d: try make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip<26.3'
	@sed -e '/--hash=/d' -e 's/ \\$$//' requirements-jwks.lock > .venv/shipped.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c .venv/shipped.txt -r requirements-dev.txt
	@touch $@

$(LOCK_VENV):
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	@touch $@

# Its own environment: pytest would load its plugin in every test.
$(FUZZ_VENV): requirements-fuzz.txt
	$(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-fuzz.txt
	@touch $@

# Its own environment: it pins botocore.
$(ENGINE_VENV): requirements-engine.txt $(APP)
	$(PYTHON) -m venv .venv-engine
	.venv-engine/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-engine.txt
	@touch $@
