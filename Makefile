# What a contributor types; each target is one line of scripts/.
.PHONY: setup check test coverage lock docs

setup:  # .venv with the locked versions, and hooks that run before each commit
	scripts/setup.sh
	.venv/bin/pre-commit install

check:  # before each commit
	scripts/test.sh --fast

test:  # before a merge
	scripts/test.sh

coverage:
	scripts/test.sh --coverage

lock:
	scripts/lock.sh

docs:
	.venv/bin/mkdocs build --strict
