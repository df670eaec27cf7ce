"""Where there is no GPU, Triton programs run in its interpreter; it reads this at its import."""

import os
from pathlib import Path

if not Path("/dev/nvidia0").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")
