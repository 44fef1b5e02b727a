"""Where a deployment was, in a file beside its backup, so that the next run knows it whatever ended the last one."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class Phase(StrEnum):
    """What is going on. Until `MIGRATING`, nothing of the live database has been touched."""

    BACKUP = "backup"
    VERIFY = "verify"
    REHEARSE = "rehearse"
    MIGRATING = "migrating"
    VALIDATING = "validating"
    REVERSING = "reversing"
    RESTORING = "restoring"
    SWAPPING = "swapping"
    DONE = "done"
    BACK = "back"  # it failed, and all is as it was
    DROPPED = "dropped"  # it ended before it touched anything


UNTOUCHED = (Phase.BACKUP, Phase.VERIFY, Phase.REHEARSE)
ENDED = (Phase.DONE, Phase.BACK, Phase.DROPPED)


class Unreadable(Exception):
    """The file is there and cannot be read; the text says why."""


@dataclass
class Journal:
    """One deployment. `backup` is the name of the manifest in the same directory, once it is whole."""

    path: Path
    database: str
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    phase: Phase = Phase.BACKUP
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    backup: str = ""
    before: list[str] = field(default_factory=list)  # migrations that were applied at the start
    planned: list[str] = field(default_factory=list)
    doing: str = ""  # the migration that was begun last
    atomic: bool = True  # whether that one is a transaction
    way_back: bool = False  # whether the rehearsal went forth and back, and all was as before
    loses: bool = False  # whether somebody has accepted that what was written since is lost
    catalog: dict[str, dict[str, str]] = field(default_factory=dict)  # what the rehearsal came to

    @property
    def has_ended(self) -> bool:
        return self.phase in ENDED

    @property
    def has_touched(self) -> bool:
        """Whether the live database may be other than it was."""
        return not self.has_ended and self.phase not in UNTOUCHED

    def enter(self, phase: Phase, **more: Any) -> None:
        """Note that this begins, and whatever else is known now. It is on the disk when this returns."""
        self.phase = phase
        for name, value in more.items():
            setattr(self, name, value)
        self.write()

    def write(self) -> None:
        kept = asdict(self) | {"path": self.path.name}
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = self.path.with_suffix(".writing")
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(kept, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self.path)


def place(directory: Path, database: str) -> Path:
    """Where the journal of a database is."""
    return directory / f"{database}.deployment.json"


def read(directory: Path, database: str) -> Journal | None:
    """The last deployment of this database; None before the first. Raises Unreadable."""
    path = place(directory, database)
    try:
        found = json.loads(path.read_text())
        return Journal(**found | {"path": path, "phase": Phase(found["phase"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Unreadable(f"{path} cannot be read ({type(error).__name__}): it says where the last run was.") from error
