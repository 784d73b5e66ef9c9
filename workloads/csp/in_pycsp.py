"""The networks in pycsp, whose processes are threads or greenlets."""

from importlib import import_module
from types import ModuleType
from typing import Any

from concurtrace.workload import Result, Work

from .network import Step, last_step, numbers, steps_beside, told


def run(work: Work, kit: ModuleType) -> Result:
    """Run a network; ``kit`` is ``pycsp.parallel`` or ``pycsp.greenlets``."""
    name, process = kit.__name__, kit.process
    channel = kit.Channel("numbers")
    crew = [process(send)(name, work, channel.writer())]
    for number, stage in enumerate(steps_beside(work), 1):
        following = kit.Channel(f"stage-{number}")
        crew += [
            process(pass_on)(name, step, channel.reader(), following.writer()) for step in stage
        ]
        channel = following
    crew += [process(add_up)(name, last_step(work), channel.reader())]
    total, count = kit.Parallel(*crew)[-1]
    return told(total, count)


# Where a process is one of the operating system, the kit, a module, can't be pickled: its name can.
def send(name: str, work: Work, put: Any) -> None:
    """Send the numbers, and retire."""
    for number in numbers(work):
        put(number)
    if work.fault != "no-retire":
        import_module(name).retire(put)


def pass_on(name: str, step: Step, take: Any, put: Any) -> None:
    """Take a step with every number that comes, until nobody is left who sends."""
    kit = import_module(name)
    while True:
        try:
            number = take()
        except kit.ChannelRetireException:
            kit.retire(put)
            return
        put(step(number))


def add_up(name: str, step: Step, take: Any) -> tuple[int, int]:
    """Add up what comes, until nobody is left who sends."""
    kit = import_module(name)
    total = count = 0
    while True:
        try:
            total += step(take())
        except kit.ChannelRetireException:
            return total, count
        count += 1
