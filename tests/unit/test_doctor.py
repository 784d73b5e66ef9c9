"""What ``concurtrace doctor`` says about extras."""

from importlib import metadata

import pytest
from click.testing import CliRunner

from concurtrace.commands import doctor


def test_it_names_the_command_that_installs_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed = metadata.version

    def version(name: str) -> str:
        if name == "pycsp":
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(metadata, "version", version)
    assert doctor.extras()["csp"] == ["pycsp"]
    said = CliRunner().invoke(doctor.command).output
    assert '  csp: lacks pycsp: pip install "concurtrace[csp]"' in said
    assert "Workloads:" in said
