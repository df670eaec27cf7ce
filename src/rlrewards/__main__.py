"""The command line as `python -m rlrewards`."""

import sys

from rlrewards.cli import main

sys.exit(main())
