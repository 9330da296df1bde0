#!/usr/bin/env bash
# Refuses changes of the contract that break its users, against the latest release (the nearest tag).
# AGAINST names another commit; without a release, or one without contracts, there is nothing to break.
set -euo pipefail
cd "$(dirname "$0")/.."
against=${AGAINST:-$(git describe --tags --abbrev=0 2>/dev/null || true)}
if [ -z "$against" ] || ! git cat-file -e "$against:buf.yaml" 2>/dev/null; then
    echo "breaking changes: no release yet, nothing to break"
    exit 0
fi
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
git archive "$against" proto third_party buf.yaml | tar -x -C "$before"
buf breaking --against "$before"
