"""`python -m onehead`."""

import sys

from onehead.cli.main import main

sys.exit(main())
