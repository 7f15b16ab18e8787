"""`python -m bench.lanes.model_call`: the model lane's calls as an ordinary pyperf script.

Takes the filters of `rmapbench run` beside pyperf's own options (--fast, --affinity, -o, ...). Its cases are
measured one after the other, so its files are marked unpaired; for a verdict use `rmapbench run`.
"""

from __future__ import annotations

import sys

from bench.lanes.model.script import run

if __name__ == "__main__":
    sys.exit(run("model_call", "call"))
