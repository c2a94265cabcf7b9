#!/usr/bin/env bash
# From nothing to a trained and evaluated recommender on MovieLens-100K: environment, downloads, five stages.
# Run it again at any time: what is there already is left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON="${PYTHON:-python3}"
"$PYTHON" - <<'CHECK'
import sys
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(f"quickstart: Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}; set PYTHON=python3.12 or so")
CHECK

# The stamp names what was installed, so that an unchanged checkout does not ask pip again.
stamp=".venv/.installed-$(sha256sum pyproject.toml | cut -c1-16)"
if [ ! -e "$stamp" ]; then
    echo "quickstart: installing into .venv (once, about two minutes)" >&2
    [ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable .
    rm -f .venv/.installed-*
    touch "$stamp"
fi

.venv/bin/interestrec fetch minilm-l6
.venv/bin/interestrec fetch ml-100k
.venv/bin/interestrec run --config configs/quickstart.yaml "$@"
