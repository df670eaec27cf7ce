"""These scripts run in environments of their own, each with the library that it records."""

collect_ignore_glob = ["from_*.py", "make.py", "parity_inputs.py"]
