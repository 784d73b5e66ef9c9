"""Everything that is checked, and how: ``nox`` runs what CI runs."""

import nox

nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["lint", "types", "layers", "tests"]
nox.options.error_on_missing_interpreters = False
PYTHONS = ["3.11", "3.12", "3.13"]


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on the interpreter that nox itself runs on."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS)
def pythons(session: nox.Session) -> None:
    """Run the tests on every supported interpreter that is there."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install("ruff>=0.9")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly, the tests included."""
    session.install("-e", ".[test,lint]", "nox")
    session.run("mypy")


@nox.session
def layers(session: nox.Session) -> None:
    """Check that imports go one way."""
    session.install("-e", ".", "import-linter>=2.1")
    session.run("lint-imports")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Read a hundred thousand damaged recordings."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.fuzz.recording", *(session.posargs or ["100000"]))


@nox.session
def kill(session: nox.Session) -> None:
    """Kill 200 workers of running pools; nothing that was finished may be lost."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.reliability.kill", *session.posargs)


@nox.session
def blocking(session: nox.Session) -> None:
    """Find every blocking call of 100 random programs of coroutines, and none in 100 clean ones."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.reliability.blocking", *session.posargs)


@nox.session
def survey(session: nox.Session) -> None:
    """Run every workload in every mode, and hold it to the diagnosis that it promises."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.reliability.survey", *session.posargs)


@nox.session
def views(session: nox.Session) -> None:
    """Open the report of every workload in every mode in a browser, and look at all of it."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.reliability.views", *session.posargs)


@nox.session(python=PYTHONS)
def compatibility(session: nox.Session) -> None:
    """Run CPython's own tests with and without the recorder, and compare."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.reliability.compatibility", *session.posargs)


@nox.session
def overhead(session: nox.Session) -> None:
    """Measure what the states pass costs, beside other tools."""
    session.install("-e", ".", "viztracer", "py-spy", "gilknocker", "yappi", "scalene")
    session.run("python", "benchmarks/overhead.py", *(session.posargs or ["--peers"]))


@nox.session
def tasks(session: nox.Session) -> None:
    """Measure what recording tasks costs a step, beside other tools."""
    session.install("-e", ".", "viztracer", "yappi", "scalene")
    session.run("python", "-m", "benchmarks.tasks", *(session.posargs or ["--peers", "--large"]))


@nox.session
def predictions(session: nox.Session) -> None:
    """Put predictions to the test, each against a measured run of the changed program."""
    session.install("-e", ".")
    session.run("python", "-m", "benchmarks.predictions", *session.posargs)


@nox.session
def report(session: nox.Session) -> None:
    """Measure the HTML report of ten million spans: its file, and a browser with it."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "benchmarks.report", *(session.posargs or ["--large"]))


@nox.session
def side_by_side(session: nox.Session) -> None:
    """Measure the HTML report beside those of other tools on the same program."""
    session.install("-e", ".[test]", "memray", "scalene")
    session.run("python", "-m", "benchmarks.report_peers", *session.posargs)


@nox.session
def screenshot(session: nox.Session) -> None:
    """Make the picture in the README anew."""
    session.install("-e", ".[test]")
    session.run("python", "docs/screenshot.py")


@nox.session
def gallery(session: nox.Session) -> None:
    """Make sample reports and the pictures of the gallery anew."""
    session.install("-e", ".[test]")
    session.run("python", "docs/gallery.py")


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel, install it in a clean environment and profile a workload with it."""
    session.install("build")
    dist = session.create_tmp()
    session.run("python", "-m", "build", "--wheel", "--outdir", dist, ".")
    wheel = max(__import__("pathlib").Path(dist).glob("*.whl"))
    session.install("--force-reinstall", str(wheel))
    session.chdir(dist)
    session.run("concurtrace", "profile", "factorize", "--preset", "tiny", "--repeat", "1")
