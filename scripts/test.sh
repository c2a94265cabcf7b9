#!/usr/bin/env bash
# Install the test extra into .venv and the encoder that some tests compare with; then lint, type checks and tests.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
.venv/bin/interestrec fetch minilm-l6
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
# Files of tests are shared out over the cores; those of one file stay together, as their fixtures are.
exec .venv/bin/python -m pytest --numprocesses auto --dist loadfile "$@"
