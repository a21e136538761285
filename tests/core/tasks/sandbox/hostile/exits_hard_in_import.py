"""Ends its process while it is imported."""

import os
import sys

sys.stderr.write("something was missing\n")
sys.stderr.flush()
os._exit(7)
