"""The networks of pycsp with processes of the operating system.

The end of a channel can be given to a forked process, but a spawned one hangs where it unpickles it
(pycsp 0.9.2). The address of a channel can be given to any: each process connects by itself, as one
on another machine would.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from concurtrace.workload import Result, Work

from .in_pycsp import add_up, pass_on, send
from .network import Step, last_step, steps_beside, told

KIT = "pycsp.parallel"


@dataclass(frozen=True)
class Place:
    """Where a channel is: its name, and the address of the process that has it."""

    name: str
    address: tuple[str, int]

    def channel(self) -> Any:
        """Connect to it."""
        from pycsp import parallel

        return parallel.Channel(self.name, connect=self.address)


def run(work: Work, kit: ModuleType) -> Result:
    """Run a network; all channels are in this process."""
    stages = steps_beside(work)
    channels = [kit.Channel(f"stage-{number}") for number in range(len(stages) + 1)]
    places = [Place(one.name, one.address) for one in channels]
    process = kit.multiprocess
    crew = [process(send_to)(work, places[0])]
    for number, stage in enumerate(stages):
        crew += [process(pass_between)(step, *places[number : number + 2]) for step in stage]
    crew += [process(add_up_from)(last_step(work), places[-1])]
    total, count = kit.Parallel(*crew)[-1]
    return told(total, count)


def send_to(work: Work, put: Place) -> None:
    """Connect and send."""
    send(KIT, work, put.channel().writer())


def pass_between(step: Step, take: Place, put: Place) -> None:
    """Connect and pass on; to a channel that has ended already, there is nothing to do."""
    from pycsp import parallel

    try:
        # First the end to write to: it must not end before this one had its say.
        writer = put.channel().writer()
    except parallel.ChannelRetireException:
        return
    try:
        reader = take.channel().reader()
    except parallel.ChannelRetireException:
        parallel.retire(writer)
        return
    pass_on(KIT, step, reader, writer)


def add_up_from(step: Step, take: Place) -> tuple[int, int]:
    """Connect and add up."""
    return add_up(KIT, step, take.channel().reader())
