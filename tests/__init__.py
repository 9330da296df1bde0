"""The tests. They start processes beside running gRPC, which is to leave forks alone, as `salambot` tells it to."""

import os

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # read by grpc when it is imported
