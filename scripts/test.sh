#!/usr/bin/env bash
# Lint, type checks and tests, in .venv, which scripts/setup.sh makes.
#
#     scripts/test.sh                what must hold before anything is merged
#     scripts/test.sh --fast         the same without the tests marked slow: before each commit
#     scripts/test.sh --coverage     everything, and how much of the package it runs
#
# Further arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

# What passes here has to pass for a stranger: no settings of Python's or of ours come from the environment.
for name in $(compgen -e); do
    case "$name" in PYTHON?* | INTERESTREC*) unset "$name" ;; esac
done

selection=()
case "${1:-}" in
    --fast) selection=(-m "not slow") && shift ;;
    --coverage) selection=(--cov=interestrec) && shift ;;
esac

scripts/setup.sh
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
# Files of tests are shared out over the cores; those of one file stay together, as their fixtures are.
exec .venv/bin/python -m pytest --numprocesses auto --dist loadfile "${selection[@]}" "$@"
