"""`python -m edgectl`."""

from __future__ import annotations

import sys

from edgectl.app import main

if __name__ == "__main__":
    sys.exit(main())
