# Every habit has a verb here, and CI runs the same ones.
# `make train` and `make test` do everything from a bare clone with Python 3.11+ and make.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
PRESET ?= quick
CONTAINER ?= docker
IMAGES ?= serve train
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REVISION = $(shell git rev-parse HEAD)

.DEFAULT_GOAL := help
.PHONY: help install train test slow containers images image-serve image-train image-train-gpu bench check docs format serve clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One rule installs everything; it runs again only when the pins change.
$(INSTALLED): pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (a few minutes, once) ..."
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; call make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --constraint constraints.txt --editable ".[train,serve,dev]"
	@$(PIP) install --quiet --constraint constraints.txt --no-deps citylearn
	@touch $@

install: $(INSTALLED) ## Create .venv and install everything

train: $(INSTALLED) ## Train, evaluate and report (PRESET=quick)
	@$(BIN)/rllib-citylearn train tune_configs/$(PRESET).yaml

serve: $(INSTALLED) ## Serve the newest run, or the shipped policy, on http://127.0.0.1:8000
	@$(BIN)/rllib-citylearn serve

test: $(INSTALLED) ## Run the tests a contributor needs (10 to 14 minutes on 2 cores)
	@$(BIN)/python -m pytest -n 2 -m "not slow and not cluster and not container and not browser and not gpu"

slow: $(INSTALLED) ## Run the slow tests: full years, every data set of the archive, a hundred buildings
	@$(BIN)/python -m pytest -n 2 -m slow

images: $(IMAGES:%=image-%) ## Build images (IMAGES=train-gpu, TORCH_CPU_INDEX=ADDRESS, CONTAINER=podman; see docs/images.md)

BUILD_IMAGE = $(CONTAINER) build $(BUILD) --build-arg REVISION=$(REVISION)

image-serve:
	@$(BUILD_IMAGE) -f docker/serve.Dockerfile -t rllib-citylearn-serve:$(VERSION) .

image-train:
	@$(BUILD_IMAGE) $(TORCH_CPU_INDEX:%=--build-arg PIP_EXTRA_INDEX_URL=%) -f docker/train.Dockerfile -t rllib-citylearn-train:$(VERSION) .

image-train-gpu:
	@$(BUILD_IMAGE) --build-arg TORCH=cuda -f docker/train.Dockerfile -t rllib-citylearn-train:$(VERSION)-gpu .

containers: $(INSTALLED) ## Build the images and try them (root; podman, buildah, runc)
	@$(BIN)/python -m pytest -m container tests/container

bench: $(INSTALLED) ## Measure engine, env runner and learner on this machine, beside what they are compared with
	@$(BIN)/rllib-citylearn bench engine
	@$(BIN)/rllib-citylearn bench runner
	@$(BIN)/rllib-citylearn bench learner

check: $(INSTALLED) ## Lint, format check and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

docs: $(INSTALLED) ## Write what docs/ and k8s/ take from the code anew
	@$(BIN)/python docs/tables.py
	@$(BIN)/python docs/grafana.py
	@$(BIN)/python docs/manifests.py

format: $(INSTALLED) ## Format the code and mend what lint can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## Remove .venv and tool caches; runs/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
