#!/usr/bin/env python3
"""Wall time and peak memory of a command, summed over the processes it starts.

    scripts/bench.py run -- ./scripts/quickstart.sh

Needs psutil (`pip install interestrec[bench]`). Memory is the resident set, sampled twenty times a second; pages that
processes share are counted for each. One JSON line goes to standard output, and the exit status is the command's.
"""

import argparse
import json
import subprocess
import sys
import time

import psutil

_SECONDS_BETWEEN_SAMPLES = 0.05


def resident(root: psutil.Process) -> int:
    """Bytes resident in a process and all below it; a process that ends meanwhile counts as nothing."""
    total = 0
    try:
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in family:
        try:
            total += process.memory_info().rss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return total


def run(command: list[str]) -> int:
    """Run a command to its end, print what it took, and give its exit status."""
    started = time.monotonic()
    child = subprocess.Popen(command)
    process, peak = psutil.Process(child.pid), 0
    while child.poll() is None:
        peak = max(peak, resident(process))
        time.sleep(_SECONDS_BETWEEN_SAMPLES)
    seconds = time.monotonic() - started
    print(json.dumps({"command": command, "seconds": round(seconds, 1), "peak_gib": round(peak / 2**30, 2)}))
    return child.returncode


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benches = parser.add_subparsers(dest="bench", required=True)
    runs = benches.add_parser("run", help="wall time and peak memory of a command")
    runs.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="what to run")
    arguments = parser.parse_args()
    command = [part for part in arguments.command if part != "--"]
    if not command:
        parser.error("give a command after --")
    sys.exit(run(command))


if __name__ == "__main__":
    main()
