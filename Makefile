# make repro   create the environment if missing, run the pipeline (dvc repro)
# make test    the same environment; lint, types, tests
# make docs    the pages made from the code, and the site (site/index.html) in .venv-docs
# All they assume is Python 3.11+, git and make.

PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

.PHONY: repro test test-slow lint env clean-work release reference docs site hashes

repro: .venv/ready
	dvc repro

test: lint
	pytest -n 2 --dist loadfile -m "not slow"

test-slow: .venv/ready
	pytest -m slow

# The pages that are made from the code; a test compares them.
reference: .venv/ready
	python -m tools.docs.reference

docs: reference site

# The site has an environment of its own: it reads the library and does not import it.
site: .venv-docs/ready
	.venv-docs/bin/python -m tools.docs.site

.venv-docs/ready: requirements-docs.lock
	test -x .venv-docs/bin/python || $(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --require-hashes -r requirements-docs.lock
	touch $@

lint: .venv/ready
	ruff format --check .
	ruff check .
	mypy

env: .venv/ready

# uv, because pip may mix a CPU torch with a CUDA torchvision, which then does not import, and does
# not take hashes of what packages are built with; compat, or a folder named samrs beside a user's
# script, such as a clone, hides the package.
.venv/ready: requirements.lock requirements-uv.lock pyproject.toml Makefile
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11+ is needed: make PYTHON=...")'
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --require-hashes -r requirements-uv.lock
	.venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes \
		--build-constraints requirements.lock -r requirements.lock
	.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation \
		--config-settings editable_mode=compat --editable .
	.venv/bin/python -c 'import vl_convert; print("(() => {", vl_convert.javascript_bundle(), "})()")' \
		> .venv/vega.js # so that the page of `dvc plots show` works offline
	touch $@

# After a version in a lock was changed: the hashes of all its files, so for any platform. It takes
# the environment as it is: before that, the new lock cannot be installed.
hashes:
	@set -e; for lock in requirements.lock requirements-docs.lock requirements-uv.lock; do \
		grep -oE '^[A-Za-z0-9_.-]+==[^ ;]+' $$lock > $$lock.pins; \
		.venv/bin/uv pip compile --quiet --generate-hashes --no-deps --no-header --no-annotate \
			--no-emit-index-url --no-emit-find-links $$lock.pins -o $$lock; \
		rm $$lock.pins; done

clean-work:
	rm -rf .work

# make release VERSION=1.0.0   publish what is committed: docs/releasing.md
#   DRY=1 prints the plan; FROM=URL pulls from there; TERMS=read: all images' terms allow it;
#   ADDRESS=URL: where a git host that is not known serves the files of the branch dvc
release: .venv/ready
	samrs publish '$(VERSION)' $(if $(DRY),--dry-run) $(if $(FROM),--pull-from '$(FROM)') \
		$(if $(ADDRESS),--address '$(ADDRESS)') \
		$(if $(filter read,$(TERMS)),--terms-allow)
