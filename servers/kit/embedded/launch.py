"""Becomes the given program, bound to the life of the process that asked for it.

Run as a script (`python -I -S launch.py PARENT SIGNAL UID GID PROGRAM ARGUMENT...`) rather than as a `preexec_fn`:
Python code between fork and exec can deadlock in a process that already has threads, and gRPC and ONNX Runtime
start some. PARENT is the process id of the caller; SIGNAL is what the kernel sends to the program when the caller
dies (Linux only); UID and GID are the account to run as, -1 to stay as we are.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def become(parent: int, signal: int, uid: int, gid: int, command: list[str]) -> None:
    """Replaces this process with `command`. Raises OSError when it cannot be run."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After setuid, which clears it. execv keeps it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the process that asked for this one has ended")
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    _parent, _signal, _uid, _gid = (int(argument) for argument in sys.argv[1:5])
    become(_parent, _signal, _uid, _gid, sys.argv[5:])
