"""`python -m lab up|status|down|fault|shell|power`."""

import sys

from lab.cli import main

sys.exit(main())
