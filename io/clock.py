"""The clocks an engine reads, as an object it is given: a simulation hands it another one."""

import time


class Clock:
    """The machine's own clocks."""

    wall_ns = staticmethod(time.time_ns)
    mono_ns = staticmethod(time.monotonic_ns)


MACHINE = Clock()
