# make run    serve the Redmine that REDMINE_URL names, or a demo where it names none
# make test   everything that CI checks; the last lines say whether a real Redmine took part
# make lint   ruff, mypy, and the arrows between the rooms (tests/test_architecture.py)
# make docs   write the generated parts of the documentation anew, and the site into site/
# make pictures  take the pictures in it anew, with Chromium
# make tokens what a model has to read, in bytes; writes benchmarks/tokens.json
# make lock   pin the newest third-party packages

.PHONY: run test fast lint docs pictures tokens lock clean

run:
	@scripts/venv run
	@if [ -n "$$REDMINE_URL" ] || grep -qs '^REDMINE_URL=.' .env; then \
		exec .venv/bin/redmine-mcp serve; \
	else \
		exec .venv/bin/redmine-mcp demo; \
	fi

test: lint
	@scripts/test

fast:
	@scripts/venv dev
	@.venv/bin/python -m pytest -q -m "not real_redmine and not browser and not npm and not wheels"

lint:
	@scripts/venv dev
	.venv/bin/ruff format --check --quiet .
	.venv/bin/ruff check --quiet .
	.venv/bin/mypy
	@.venv/bin/python -m pytest -q tests/test_architecture.py

docs:
	@scripts/venv dev
	@.venv/bin/python scripts/docs
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

pictures:
	@scripts/venv dev
	@.venv/bin/python scripts/pictures

tokens:
	@scripts/venv dev
	@.venv/bin/python benchmarks/tokens.py

lock:
	@scripts/lock

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache artifacts site
