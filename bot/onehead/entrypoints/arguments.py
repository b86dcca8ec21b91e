"""Kinds of options that argparse does not have."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from onehead.live.masking import mask_urls

LEAST_MEMORY = 128
"""MiB. Below it, Python with SQLAlchemy does not even start."""


class Parser(argparse.ArgumentParser):
    """Refuses without repeating the password of an address that it was given."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.color = False  # since Python 3.14 it would colour its help by itself

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end."""
        super().error(mask_urls(message))


class ShowVersion(argparse.Action):
    """Asks for the version only when it is wanted: looking it up costs more than a whole check."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it and end."""
        from importlib.metadata import version  # noqa: PLC0415

        print(f"onehead {version('onehead')}")
        parser.exit()


def seconds(text: str) -> int:
    """A time limit.

    Raises:
        argparse.ArgumentTypeError: it is no whole number of seconds, or none at all.
    """
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds; write a whole one from 1 on")
    return int(text)


def number(text: str) -> int:
    """How many.

    Raises:
        argparse.ArgumentTypeError: it is no whole number.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def megabytes(text: str) -> int:
    """A limit of memory, in MiB.

    Raises:
        argparse.ArgumentTypeError: it is no whole number, or so small that Python itself does not start.
    """
    if not text.isdecimal() or int(text) < LEAST_MEMORY:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of MiB from {LEAST_MEMORY} on")
    return int(text)
