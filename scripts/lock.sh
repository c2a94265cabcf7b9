#!/usr/bin/env bash
# Renew requirements-dev.lock: the exact versions and file hashes that scripts/setup.sh installs. The lock is for Python
# 3.11, the oldest version of pyproject.toml, on Linux. `scripts/lock.sh --upgrade` selects the newest versions that
# pyproject.toml allows; without it compatible versions stay unchanged.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -x .venv/bin/pip-compile ]; then
    echo "lock: .venv has no pip-compile; run scripts/setup.sh first" >&2
    exit 69
fi
if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    echo "lock: .venv must have Python 3.11; delete it and run PYTHON=python3.11 scripts/setup.sh" >&2
    exit 69
fi
# Take hashes from the public index only: ignore pip's configuration files and local packages.
unset PIP_FIND_LINKS PIP_EXTRA_INDEX_URL PIP_CONSTRAINT
export PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND=scripts/lock.sh
exec .venv/bin/pip-compile --quiet --extra dev --generate-hashes --allow-unsafe --strip-extras \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements-dev.lock "$@" pyproject.toml
