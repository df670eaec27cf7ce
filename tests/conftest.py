"""Where there is no GPU, Triton programs run in its interpreter; it reads this at its import."""

import os
from importlib.util import find_spec
from pathlib import Path

if find_spec("triton") and not Path("/dev/nvidia0").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")
