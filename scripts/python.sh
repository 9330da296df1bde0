#!/usr/bin/env bash
# Names the Python to build on: the distribution's own where it is 3.11 or newer and can make virtual environments, since
# it is built with every optimisation (one that a version manager compiled is often a third slower); else python3.
set -euo pipefail
if /usr/bin/python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    echo /usr/bin/python3
else
    echo python3
fi
