"""The forge's own proc-receive hook: takes pushes to `refs/for/…`, which make or move a pull request (AGit).

Git leaves these refs to the hook, and the server does the work once the push is over, as it hears of all other refs.
Standard library only, for a fast start.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator


def packets() -> Iterator[bytes]:
    """Read the lines up to the next flush."""
    while size := int(sys.stdin.buffer.read(4), 16):
        yield sys.stdin.buffer.read(size - 4).rstrip(b"\n")


def send(*lines: bytes) -> None:
    """Write lines and a flush."""
    for line in lines:
        sys.stdout.buffer.write(b"%04x" % (len(line) + 4) + line)
    sys.stdout.buffer.write(b"0000")
    sys.stdout.buffer.flush()


def main() -> None:
    list(packets())
    send(b"version=1\n")
    send(*(b"ok " + command.split(b" ", 2)[2] for command in list(packets())))


if __name__ == "__main__":
    main()
