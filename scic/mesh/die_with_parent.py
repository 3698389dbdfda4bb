"""Runs a program that the kernel kills when the supervisor is gone.

Usage: `die_with_parent.py PARENT_PID PROGRAM ARGUMENT...`

A file of its own, run by path before the program takes its place (same pid): setting this after a fork, inside of a
supervisor with threads, is not safe. The signal follows the parent's thread that forked, which is its main thread.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for SIGKILL at the parent's death, then become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel knew
        sys.exit(1)
    try:
        os.execv(program[0], program)  # noqa: S606 - to become the program is what this file is for
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
