#!/usr/bin/env bash
# Make .venv as requirements-dev.lock says, with the package itself and the encoder that some tests compare with.
# An unchanged checkout asks pip for nothing. PYTHON=python3.12 chooses the Python of a .venv that is not there yet.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=".venv/.installed-dev-$(cat pyproject.toml requirements-dev.lock | sha256sum | cut -c1-16)"
if [ ! -e "$stamp" ]; then
    [ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
    install=(.venv/bin/python -m pip install --quiet --disable-pip-version-check)
    here="$(.venv/bin/python -c 'import platform as p; print(*p.python_version_tuple()[:2], p.system())')"
    if [ "$here" = "3 11 Linux" ]; then
        echo "setup: installing the versions of requirements-dev.lock into .venv (once, some minutes)" >&2
        "${install[@]}" --require-hashes --requirement requirements-dev.lock
        "${install[@]}" --no-deps --editable .
    else
        echo "setup: requirements-dev.lock is for Python 3.11 on Linux; installing what pyproject.toml allows" >&2
        "${install[@]}" --editable '.[dev]'
    fi
    rm -f .venv/.installed-dev-*
    touch "$stamp"
fi
.venv/bin/interestrec fetch minilm-l6
