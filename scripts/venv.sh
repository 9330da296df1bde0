#!/usr/bin/env bash
# Makes .venv with the pinned packages of requirements/<kind>.lock and this project itself. Usage: venv.sh PYTHON KIND
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 kind=$2

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "SalamBot needs Python 3.11 or newer; this is $("$python" --version). Name another: make PYTHON=python3.12 …" >&2
    exit 1
}
if [ ! -x .venv/bin/pip ]; then
    echo "making a virtual environment in .venv …"
    "$python" -m venv .venv || {
        rm -rf .venv
        echo "this Python cannot make virtual environments: on Debian, apt-get install python3-venv" >&2
        exit 1
    }
fi
echo "installing $(grep -c '==' "requirements/$kind.lock") pinned packages ($kind) …"
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps -r "requirements/$kind.lock"
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
