#!/usr/bin/env python3
"""Django's commands, run by the project's own virtual environment whichever Python was typed."""

import importlib.util
import os
import sys
from pathlib import Path

OURS = Path(__file__).resolve().parent / ".venv" / "bin" / "python"


def main() -> None:
    if importlib.util.find_spec("django") is None:
        if not OURS.exists() or Path(sys.prefix) == OURS.parent.parent:
            sys.exit("VidGenie is not installed yet. Run: python3 dev.py setup")
        os.execv(OURS, [str(OURS), *sys.argv])
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vidgenie.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
