"""Copies of the live database beside it: made from a backup to be compared, migrated and thrown away.

A copy knows that it is one (workflows/restored.py), no worker is pointed at it, and nothing here submits anything.
"""

from collections.abc import Callable

from vidgenie.management.migration import place, sums
from vidgenie.management.migration.backup import Manifest
from vidgenie.management.migration.sums import Difference

JOBS = "2"


def restore(manifest: Manifest, database: str) -> None:
    """Make this database anew from a backup. Raises PlaceError."""
    with place.maintenance() as link:
        place.create(link, database)
        program = place.program("pg_restore", link.info.server_version)
    place.run(program, database, ["--jobs", JOBS, "--exit-on-error", str(manifest.dump)])


def compared(manifest: Manifest, database: str) -> list[Difference]:
    """What is not in the database as it was when the backup was taken."""
    with place.connect(database) as link:
        return sums.differences(manifest.sums, sums.of(link))


def drop_leftovers(say: Callable[[str], object], spared: str = "") -> None:
    """Drop the copies that earlier runs have left, killed as they were, except those of the deployment `spared`."""
    with place.maintenance() as link:
        for database in place.leftovers(link, place.COPY, place.BARE, place.RESTORED):
            if not (spared and database.endswith(f"_{spared}")):
                say(f"Dropping {database}, which an earlier run has left.")
                place.drop(link, database)


def drop(*databases: str) -> None:
    """Drop these copies, as far as they are there."""
    with place.maintenance() as link:
        for database in databases:
            place.drop(link, database)
