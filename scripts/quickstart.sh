#!/usr/bin/env bash
# Set up the environment, download the data, train a recommender on MovieLens-100K in five stages, show what it
# recommends to three people, and evaluate it. Repeated runs reuse existing results.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON="${PYTHON:-python3}"
"$PYTHON" - <<'CHECK'
import sys
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(f"quickstart: Python {sys.version.split()[0]} is not supported; set PYTHON to a Python 3.11 to 3.13")
CHECK

# The stamp identifies the installed requirements, so that an unchanged checkout does not run pip again.
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
.venv/bin/interestrec preprocess --config configs/quickstart.yaml "$@"
.venv/bin/interestrec pretrain-adapt --config configs/quickstart.yaml "$@"
.venv/bin/interestrec finetune --config configs/quickstart.yaml "$@"
.venv/bin/interestrec rank --config configs/quickstart.yaml "$@"
answered=() # options of the stages that `recommend` has as well
for option in "$@"; do [ "$option" = --force ] || answered+=("$option"); done
# What it is for: the lists of three people, with a reason for each film.
.venv/bin/interestrec recommend --config configs/quickstart.yaml --user 702 --user 266 --user 895 -k 3 --why "${answered[@]}"
.venv/bin/interestrec evaluate --config configs/quickstart.yaml "$@"
