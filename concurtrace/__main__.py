"""Run the command line: ``python -m concurtrace`` and the ``concurtrace`` script."""

from concurtrace.commands import cli


def main() -> None:
    """Run the command line and end with the exit code of the contract."""
    cli()


if __name__ == "__main__":
    main()
