#!/bin/sh
# Measure everything, beside FlowKit, and write it into docs/performance.md: half an hour on two quiet cores.
# Usage: PYTHON=.venv/bin/python benchmarks/record.sh [--flowkit PYTHON_WITH_FLOWKIT] [--repeats 7]
set -e
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE # what is installed is compiled
"${PYTHON:-python}" -m benchmarks --write docs/performance.md "$@"
"${PYTHON:-python}" -m benchmarks.whole_runs --write docs/performance.md
