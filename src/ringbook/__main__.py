"""`python -m ringbook` and the `ringbook` command."""

import sys


def main() -> int:
    """Run the command line; returns its exit code."""
    from .io.cli import main as command

    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
