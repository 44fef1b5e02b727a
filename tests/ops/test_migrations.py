"""The migrations say what the models say, and can be applied while the old code still runs."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django_migration_linter import MigrationLinter
from django_migration_linter.sql_analyser import analyse_sql_statements

OURS = {"credits", "providers", "vidgenie", "workflows"}
# What the linter has against a migration that stays all the same. New ones do not get into this table: they give a new
# column a default in the database, and take away a release later what the old program uses.
EXPLAINED = {
    # Columns that the program of before did not fill; until version 1.0 a site is stopped while it is migrated.
    "providers.0004_reference": {"NOT_NULL"},
    "workflows.0002_outside": {"NOT_NULL"},
    "workflows.0003_succession": {"NOT_NULL"},
    "workflows.0005_whose_attempt": {"NOT_NULL"},
    "vidgenie.0002_cache_table": {"DROP_TABLE"},  # on its way back, and it holds nothing that cannot be lost
}


@pytest.mark.django_db
def test_no_model_has_changed_without_a_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=1)


@pytest.mark.django_db
def test_no_migration_has_unexplained_dangers() -> None:
    linter = MigrationLinter(no_cache=True, no_output=True)
    migrations = [one for key, one in MigrationLoader(connection).graph.nodes.items() if key[0] in OURS]
    found = {f"{one.app_label}.{one.name}": dangers(linter, one) for one in migrations if not one.initial}
    assert {name: codes for name, codes in found.items() if codes} == EXPLAINED


def dangers(linter: MigrationLinter, migration: object) -> set[str]:
    """The linter's errors, by their codes, of SQL and of Python."""
    statements = linter.get_sql(migration.app_label, migration.name)  # type: ignore[attr-defined]
    of_sql, *_ = analyse_sql_statements(linter.sql_analyser_class, statements, [])
    of_python, *_ = linter.analyse_data_migration(migration)
    return {issue.code for issue in [*of_sql, *of_python]}


@pytest.mark.django_db
def test_a_dangerous_statement_is_found() -> None:
    linter = MigrationLinter(no_cache=True, no_output=True)
    errors, *_ = analyse_sql_statements(linter.sql_analyser_class, ["ALTER TABLE t DROP COLUMN a;"], [])
    assert [issue.code for issue in errors] == ["DROP_COLUMN"]
