"""The errors that reach a user, each with the exit code of the contract."""


class ConcurtraceError(Exception):
    """A problem told to the user in one sentence that says what to do."""

    exit_code = 3


class UsageError(ConcurtraceError):
    """Something that does not exist or is out of range was asked for."""

    exit_code = 2


class RunFailedError(ConcurtraceError):
    """The run could not be made or went wrong; what was recorded is kept."""

    exit_code = 3


class RunDataError(ConcurtraceError):
    """The data of a run are damaged, foreign or from an unknown format."""

    exit_code = 4
