"""Starts the process: `python -I -S PATH/workload`; the directory needs nothing but the standard library.

It is a directory of files, one a concept, and not one file of a thousand lines. It is packed as it
stands, under this name.
"""

import importlib
import sys

# Last, so that no file beside the directory hides a module of the standard library.
sys.path[:] = [*sys.path[1:], __file__.rpartition("/workload/")[0] or "."]
importlib.import_module("workload.serve").main()
