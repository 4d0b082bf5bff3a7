"""What must be done before what."""

from topo.graph import Cycle, Graph
from topo.plan import critical_path, waves

__all__ = ["Cycle", "Graph", "critical_path", "waves"]
