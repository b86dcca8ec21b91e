"""How many of the statements that people write into `op.execute` are read: by our reader, and by sqlglot.

    .venv/bin/python -m benchmarks.statements [DIRECTORY]

DIRECTORY is where sqlglot is (`pip install --target DIRECTORY sqlglot`): onehead does not depend on it. "Structured" by
sqlglot is what one of its dialects takes apart, as opposed to what it keeps as text (`Command`) or refuses.
"""

from __future__ import annotations

import importlib
import logging
import sys
import time
from typing import Any

from onehead.operations.model import Unknown
from onehead.operations.sql import operations_in
from tests.operations.statements import STATEMENTS

DIALECTS = ("postgres", "sqlite", "mysql")


def is_read(text: str) -> bool:
    """Whether our reader knows all of a statement."""
    return not any(isinstance(each, Unknown) for each in operations_in(text))


def is_structured(sqlglot: Any, text: str) -> bool:
    """Whether sqlglot takes a statement apart in any of the dialects."""
    for dialect in DIALECTS:
        try:
            found = sqlglot.parse(text, read=dialect)
        except sqlglot.errors.SqlglotError:
            continue
        if not any(each is not None and each.find(sqlglot.exp.Command) for each in found):
            return True
    return False


def main(directory: str | None) -> None:
    texts = [text for text, _ in STATEMENTS]
    ours = {text for text in texts if is_read(text)}
    print(f"{len(texts)} statements; our reader: {len(ours)}")
    if directory is None:
        return
    sys.path.insert(0, directory)
    logging.disable(logging.WARNING)
    before = time.process_time()
    sqlglot = importlib.import_module("sqlglot")
    importlib.import_module("sqlglot.dialects.postgres")
    print(f"sqlglot {sqlglot.__version__}: {time.process_time() - before:.2f} s of CPU to load")
    theirs = {text for text in texts if is_structured(sqlglot, text)}
    print(f"structured: {len(theirs)}; by ours alone: {len(ours - theirs)}; by sqlglot alone: {len(theirs - ours)}")
    for text in sorted(theirs - ours):
        print(f"  {text}")


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else None)
