#!/usr/bin/env bash
# Create .venv from requirements-dev.lock, with the package itself, and download the reference encoder of some tests.
# An unchanged checkout does not run pip again. PYTHON=python3.12 selects the Python of a new .venv.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=".venv/.installed-dev-$(cat pyproject.toml requirements-dev.lock | sha256sum | cut -c1-16)"
if [ ! -e "$stamp" ]; then
    [ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
    install=(.venv/bin/python -m pip install --quiet --disable-pip-version-check)
    platform="$(.venv/bin/python -c 'import platform as p; print(*p.python_version_tuple()[:2], p.system())')"
    if [ "$platform" = "3 11 Linux" ]; then
        echo "setup: installing the versions of requirements-dev.lock into .venv (once, some minutes)" >&2
        "${install[@]}" --require-hashes --requirement requirements-dev.lock
        "${install[@]}" --no-deps --editable .
    else
        echo "setup: requirements-dev.lock requires Python 3.11 on Linux; installing versions by pyproject.toml" >&2
        "${install[@]}" --editable '.[dev]'
    fi
    rm -f .venv/.installed-dev-*
    touch "$stamp"
fi
.venv/bin/interestrec fetch minilm-l6
