#!/usr/bin/env bash
# Run lint, type checks and tests in .venv, which scripts/setup.sh creates.
#
#     scripts/test.sh                all checks, required before a merge
#     scripts/test.sh --fast         without the tests marked slow, before each commit
#     scripts/test.sh --coverage     all checks, with test coverage of the package
#
# Further arguments are passed to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

# Clear the environment variables of Python and interestrec, so that results do not depend on the caller's settings.
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
# Distribute test files over the cores; the tests of one file run together, because they share fixtures.
exec .venv/bin/python -m pytest --numprocesses auto --dist loadfile "${selection[@]}" "$@"
