"""`python -m onehead`."""

import sys

from onehead.entrypoints.cli import main

sys.exit(main())
