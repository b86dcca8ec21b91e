"""Analyzers that do what the real one never does. The name of the mirror says what."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from onehead.service import analyzer


def main() -> int:
    """Act once."""
    link = socket.socket(fileno=int(sys.argv[1]))
    behaviour, _, rest = str(analyzer._read(link)["place"][0]).partition(":")
    threading.Thread(target=analyzer._end_with, args=(link,), daemon=True).start()
    analyzer._read(link)
    if behaviour == "goes home":
        return 0
    if behaviour == "gives up" or Path(behaviour).is_absolute():  # a real mirror
        return 3
    burden(behaviour, rest)
    speak(link, behaviour, rest)
    analyzer._read(link)
    return 0


def burden(behaviour: str, mark: str) -> None:
    """Cost something."""
    if behaviour == "spins below":
        subprocess.Popen([sys.executable, "-c", "while True: pass", mark], start_new_session=True)
        time.sleep(1000)
    while behaviour == "spins":
        pass
    if behaviour == "sleeps":
        time.sleep(1000)
    if behaviour == "hoards":
        hoard = [bytearray(os.urandom(1024) * 1024 * 8) for _ in range(100)]
        time.sleep(10 * len(hoard))
    if behaviour == "crashes":
        ctypes.string_at(0)


def speak(link: socket.socket, behaviour: str, rest: str) -> None:
    """Say something."""
    if behaviour == "says":
        link.sendall(len(rest).to_bytes(4) + rest.encode())
    if behaviour == "says too much":
        link.sendall((analyzer.MAX_ANSWER + 1).to_bytes(4) + b"[" * 100)
    if behaviour == "nests":
        link.sendall((200_000).to_bytes(4) + b"[" * 200_000)
    if behaviour == "calls":
        said = "connected"
        try:
            socket.create_connection(("127.0.0.1", int(rest)), timeout=5).close()
        except OSError as error:
            said = f"{type(error).__name__} {error.errno}"
        analyzer._write(link, {"error": [said, "", False]})
    if behaviour == "spies":
        analyzer._write(link, {"error": [json.dumps(spied(rest)), "", False]})


def spied(secret: str) -> list[str]:
    """The files of other processes in which it found a text."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if secret.encode() in place.read_bytes():
                found.append(str(place))
        except OSError:
            continue
    return found


if __name__ == "__main__":
    sys.exit(main())
