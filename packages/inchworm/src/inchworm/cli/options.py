"""Options that several commands share."""

import click

with_database = click.option(
    "--db",
    "database",
    required=True,
    envvar="INCHWORM_DB",
    metavar="FILE|URL",
    help="A SQLite file or a postgresql:// URL; or the variable INCHWORM_DB.",
)
with_migrations = click.argument("where", metavar="MODULE:ATTRIBUTE")
with_known = click.argument("where", metavar="[MODULE:ATTRIBUTE]", required=False)
with_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
