"""Faults that the daemon has to survive; `faults.py` beside this folder runs them."""
