"""State machines that must have been somewhere: what one run missed by luck, two more look for."""

from collections.abc import Set

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

RUNS = 3


def run_until_reached(
    machine: type[RuleBasedStateMachine], quick: settings, wanted: Set[str], reached: Set[str]
) -> None:
    """Run a machine until it has reached all that is wanted, three times at most; what is missing the caller asserts.

    Hypothesis draws the stories of one run alike: of 50 runs of the ring's 100 stories, two read a whole record
    once or never, where another did 60 times. More stories in one run would help less than another run.

    machine  adds names to `reached` as it goes
    quick    settings of one run
    wanted   names that must be reached
    reached  the set the machine fills
    """
    for _ in range(RUNS):
        run_state_machine_as_test(machine, settings=quick)
        if wanted <= reached:
            return
