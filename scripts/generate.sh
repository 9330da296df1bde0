#!/usr/bin/env bash
# Generates gen/ from proto/: messages, stubs, their types, and the contract with its comments for the documentation.
#
# One call of protoc (from grpcio-tools) makes all of it, so that no plugin has to be fetched and the output depends on
# pinned packages alone.
set -euo pipefail
cd "$(dirname "$0")/.."

include=(-Iproto -Ithird_party/proto)
rm -rf gen/salambot gen/buf
mkdir -p gen
python -m grpc_tools.protoc "${include[@]}" --python_out=gen --mypy_out=quiet:gen \
    third_party/proto/buf/validate/validate.proto
mapfile -t protos < <(find proto -name '*.proto' | LC_ALL=C sort)
python -m grpc_tools.protoc "${include[@]}" --python_out=gen --grpc_python_out=gen \
    --mypy_out=quiet:gen --mypy_grpc_out=quiet:gen "${protos[@]}"
python -m grpc_tools.protoc "${include[@]}" --include_imports --include_source_info \
    --descriptor_set_out=gen/salambot/api.binpb "${protos[@]}"
