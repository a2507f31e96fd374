"""`python -m lab.services [VERSION [FOLDER]]`: the checksums of installer and agent for a release file, and the files."""

from __future__ import annotations

import sys

from lab.services.vendor import main

sys.exit(main(sys.argv[1:]))
