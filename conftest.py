"""What pytest leaves alone: the Triton programs, where Triton is not installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("triton") else ["src/rlrewards/kernels/programs"]
