#!/usr/bin/env bash
# Writes requirements/{run,dev,train}.lock: what pyproject.toml resolves to today, pinned, without index lines.
# requirements/triton.lock is kept by hand: Triton's environment needs numpy 1.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

freeze() { # NAME EXTRAS
    "$(scripts/python.sh)" -m venv "$scratch/$1"
    "$scratch/$1/bin/pip" install --quiet -c requirements/constraints.txt -e ".$2"
    "$scratch/$1/bin/pip" check
    "$scratch/$1/bin/pip" freeze --all --exclude-editable | sed -e "s/+cpu$//" -e "/^pip==/d" | grep -E "^[A-Za-z0-9_.-]+==" >"requirements/$1.lock"
}
freeze run ""
freeze dev "[dev]"
freeze train "[dev,train]"
