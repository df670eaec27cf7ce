"""Rewards of other libraries as `rlrewards.testing` audits them; one module for each library.

A module says which functions a library has, of what kind each is and with which parameters it was
made. It does not say what to look for.
"""
