"""The address of a database, as options give it."""

from __future__ import annotations

import argparse
from pathlib import Path

from onehead.errors import UsageError


def address_given(options: argparse.Namespace) -> str:
    """The text of `--database-url`, or of the file that `--database-url-file` names.

    Raises:
        UsageError: the file can't be read.
    """
    if options.database_url is not None:
        return str(options.database_url)
    file = Path(options.database_url_file)
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The file {file} with the address can't be read: {error}.") from error
