"""Decide which passes a set of instruments needs, and with which work."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.errors import RunFailedError, UsageError
from concurtrace.instruments import Instrument
from concurtrace.model.run import Target, TargetKind, Value
from concurtrace.workload import (
    HANG_LIMIT_S,
    NO_FAULT,
    Fault,
    FaultOutcome,
    Mode,
    Parameter,
    Workload,
)

DEFAULT_LIMIT_S = 300.0
"""How long one execution of a workload may take, in seconds."""
_SHARE_OF_TASKS = 8
"""One part in so many of what a recording may take is for tasks."""
PRESETS = ("tiny", "default", "large")


@dataclass(frozen=True)
class PassPlan:
    """One pass to come: the instruments that share it and how often the target is executed."""

    name: str
    instruments: tuple[Instrument, ...]
    repeat: int


@dataclass(frozen=True)
class RunPlan:
    """A whole run to come.

    ``command`` is what a script target is started with; a workload gets its own from the
    launcher. ``options`` are the settings of each instrument by name. Times in seconds.
    """

    target: Target
    passes: tuple[PassPlan, ...]
    command: tuple[str, ...] | None
    options: Mapping[str, Mapping[str, Any]]
    time_limit_s: float | None


def find_instruments(names: tuple[str, ...]) -> tuple[Instrument, ...]:
    """Load instruments by name, in the order of their passes; all of them where none is named."""
    wanted = names or tuple(discovery.modules(Kind.INSTRUMENT))
    return tuple(discovery.load(Kind.INSTRUMENT, name).INSTRUMENT for name in dict.fromkeys(wanted))


def plan_passes(instruments: tuple[Instrument, ...], repeat: int) -> tuple[PassPlan, ...]:
    """Put instruments that share a pass together; baseline first, it is the yardstick."""
    names = sorted(
        {one.pass_name for one in instruments},
        key=lambda name: (name != "baseline", name != "light", name),
    )
    passes = []
    for name in names:
        together = tuple(one for one in instruments if one.pass_name == name)
        passes.append(PassPlan(name, together, repeat if any(i.repeats for i in together) else 1))
    return tuple(passes)


def workload_target(
    name: str, mode: str | None, preset: str, given: Mapping[str, str | int]
) -> Target:
    """Check mode and parameters of a workload; UsageError says which is unknown or out of range."""
    workload = load_workload(name)
    if mode is not None and mode not in workload.modes:
        raise UsageError(discovery.unknown(f"mode of {name}", mode, workload.modes))
    lacking = workload.missing()
    if lacking is not None:
        raise RunFailedError(f"{name} cannot run here: {lacking}")
    _check_installed(name, workload.modes[mode or workload.default_mode])
    parameters = {one.name: one for one in workload.parameters}
    values: dict[str, Value] = {}
    for one in workload.parameters:
        values[one.name] = one.presets.get(preset, one.default)
    for key, raw in given.items():
        if key not in parameters:
            raise UsageError(discovery.unknown(f"parameter of {name}", key, parameters))
        values[key] = check_value(parameters[key], raw)
    mode = mode or workload.default_mode
    fault = _check_fault(workload, mode, values, given)
    _check_variant(workload, mode, values, given, fault)
    return Target(TargetKind.WORKLOAD, name, mode, (), values)


def _check_fault(
    workload: Workload, mode: str, values: dict[str, Value], given: Mapping[str, str | int]
) -> Fault | None:
    """Find the wanted fault and take on its variant; UsageError where they don't go together."""
    fault = {one.name: one for one in workload.faults}.get(str(values.get("fault", NO_FAULT)))
    if fault is None:
        return None
    if fault.modes and mode not in fault.modes:
        raise UsageError(f"Fault {fault.name} is for mode {', '.join(fault.modes)}, not {mode}.")
    if fault.variant is not None:
        if given.get("variant", fault.variant) != fault.variant:
            raise UsageError(
                f"Fault {fault.name} is for variant {fault.variant}, not {given['variant']}."
            )
        values["variant"] = fault.variant
    return fault


def _check_variant(
    workload: Workload,
    mode: str,
    values: dict[str, Value],
    given: Mapping[str, str | int],
    fault: Fault | None,
) -> None:
    """Take the mode's first variant where none is named; UsageError for one of other modes."""
    able = [one.name for one in workload.variants if not one.modes or mode in one.modes]
    if not workload.variants or values["variant"] in able:
        return
    if "variant" in given or fault is not None or not able:
        shown = ", ".join(able) or "none"
        raise UsageError(f"Mode {mode} has no variant {values['variant']}. It has: {shown}.")
    values["variant"] = able[0]


def _check_installed(name: str, mode: Mode) -> None:
    absent = [one for one in mode.imports if find_spec(one.partition(".")[0]) is None]
    if absent:
        raise RunFailedError(
            f"Mode {mode.name} of {name} needs {', '.join(absent)}, which is not installed."
            f" Install it: pip install {mode.install_hint}"
        )


def default_limit_s(target: Target) -> float:
    """Return how long an execution may take: little where the fault is that it never ends."""
    faults = {one.name: one for one in load_workload(target.name).faults}
    fault = faults.get(str(target.parameters.get("fault", NO_FAULT)))
    hangs = fault is not None and fault.outcome is FaultOutcome.HANG
    return HANG_LIMIT_S if hangs else DEFAULT_LIMIT_S


def load_workload(name: str) -> Workload:
    """Load a workload's declaration by name."""
    workload: Workload = discovery.load(Kind.WORKLOAD, name).WORKLOAD
    return workload


def check_value(parameter: Parameter, raw: str | int) -> Value:
    """Turn what was typed into a value of the parameter; UsageError if it can't be one."""
    if parameter.choices:
        if str(raw) not in parameter.choices:
            raise UsageError(
                discovery.unknown(f"value of {parameter.name}", str(raw), parameter.choices)
            )
        return str(raw)
    kind = type(parameter.default)
    try:
        value = kind(raw)
    except ValueError:
        raise UsageError(f"{parameter.name} must be {_bounds(parameter)}, not '{raw}'.") from None
    if isinstance(value, str):
        return value
    low = parameter.minimum is not None and value < parameter.minimum
    high = parameter.maximum is not None and value > parameter.maximum
    if low or high:
        raise UsageError(f"{parameter.name} must be {_bounds(parameter)}, not {raw}.")
    return value


def _bounds(parameter: Parameter) -> str:
    kind = "a whole number" if isinstance(parameter.default, int) else "a number"
    if parameter.minimum is None and parameter.maximum is None:
        return kind
    if parameter.maximum is None:
        return f"{kind} from {parameter.minimum}"
    return f"{kind} from {parameter.minimum} to {parameter.maximum}"


def instrument_options(
    lines: tuple[str, ...], max_trace_bytes: int | None = None
) -> dict[str, Mapping[str, Any]]:
    """Give each instrument its settings.

    ``lines`` names the functions watched line by line; ``max_trace_bytes`` is what the recordings
    of wait states and of tasks may take on disk together.
    """
    watched = {"functions": list(lines)} if lines else {}
    if max_trace_bytes is None:
        return {"lines": watched, "memory": watched}
    tasks = max_trace_bytes // _SHARE_OF_TASKS
    bounds = {"states": {"max_bytes": max_trace_bytes - tasks}, "tasks": {"max_bytes": tasks}}
    return {"lines": watched, "memory": watched, **bounds}
