"""TODO for the lead: if you had written laws here between 02:17 and 02:20, they were overwritten.

PEERS wrote a file of this name at 02:20:34 without seeing yours, and moved it to `edges.py`. This
placeholder only keeps the import in `__init__` working: restore yours, or drop the import.
"""

from rlrewards.testing.law import Law

LAWS: tuple[Law, ...] = ()
