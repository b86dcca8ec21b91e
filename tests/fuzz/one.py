"""One target under the fuzzer, in this process. Arguments after the target's name are those of libFuzzer."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["onehead"]):
    from tests.fuzz.targets import TARGETS

atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
atheris.Fuzz()
