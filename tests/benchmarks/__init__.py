"""Benchmarks: `python -m tests.benchmarks.NAME [--json]`."""

import sys
from pathlib import Path

# What tests share is imported as they import it.
sys.path.append(str(Path(__file__).parent.parent))
