"""What every process of the tests does first: load the kernels."""

from ringbook.engine import jit
from ringbook.engine.pipeline import ingest_room


def load_kernels() -> None:
    """Load what `ringbook warm` compiled; a call that comes before it compiles all of the path for types of its own."""
    ingest_room("binance")
    jit.warm()
