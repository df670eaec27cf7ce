import subprocess
import sys

CHECK = """
import sys
before = set(sys.modules)
import torch
torch_brings = set(sys.modules)
import rlrewards.objectives
new = {name.split(".")[0] for name in set(sys.modules) - torch_brings}
print(sorted(new - set(sys.stdlib_module_names)))
"""
MISSING = """
import sys
sys.modules["torch"] = None
try:
    import rlrewards.objectives
except ImportError as error:
    print(error)
"""


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_needs_nothing_but_torch():
    assert run(CHECK).stdout.strip() == "['rlrewards']"


def test_without_torch_the_error_says_what_to_install():
    out = run(MISSING)
    assert out.stdout.strip() == (
        'rlrewards.objectives needs PyTorch: pip install "rlrewards[torch]"'
    )
    assert out.stderr == ""
