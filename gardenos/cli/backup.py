"""`gardenos backup` and `gardenos restore`: the commands, and what they print."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gardenos.backup.catalog import Catalog
    from gardenos.backup.server import Connection, Server
    from gardenos.backup.settings import BackupSettings
    from gardenos.backup.store import Store
    from gardenos.backup.watch import Watch
    from gardenos.cli.home import Home

backup_commands = typer.Typer(
    invoke_without_command=True,
    help="Back the database up; without a command, make a full backup now.",
)
Keep = Annotated[int | None, typer.Option(min=1, help="How many full backups stay.")]
_MEGA = 1_000_000
_OF_A_LAB = (
    "Its superuser has the lab's password: copy lab/secrets/superuser_password to "
    "secrets/postgres_superuser_password first. `gardenos up --database embedded` then runs on it."
)


@dataclass(frozen=True, slots=True)
class Chest:
    """An installation and the place of its backups."""

    home: Home
    settings: BackupSettings
    store: Store

    @classmethod
    def open(cls) -> Chest:
        """Of the installation that the environment names."""
        from gardenos.backup.settings import BackupSettings
        from gardenos.cli.home import Home

        home = Home.default()
        settings = BackupSettings.load(home.folder)
        return cls(home, settings, settings.place(home.folder).open())

    def catalog(self) -> Catalog:
        """What is stored."""
        from gardenos.backup import catalog

        return catalog.read(self.store)

    @asynccontextmanager
    async def server(self) -> AsyncGenerator[tuple[Connection, Server]]:
        """A connection to the running database, as a login that may replicate."""
        import asyncpg

        from gardenos.backup import server as servers
        from gardenos.cli import database
        from gardenos.cli.problems import CommandFailed

        dsn = self._dsn()
        with database.connecting(dsn):
            conn = await asyncpg.connect(dsn, timeout=10)
        try:
            yield conn, await servers.describe(conn, dsn)
        except asyncpg.InsufficientPrivilegeError as error:
            raise CommandFailed(
                f"The login may not replicate: {error}.",
                todo="Give it REPLICATION, or name another one in GARDENOS_BACKUP_DATABASE_URL.",
            ) from error
        finally:
            await conn.close()

    def _dsn(self) -> str:
        from gardenos.cli import database
        from gardenos.cli.problems import CommandFailed

        if self.settings.database_url:
            return self.settings.database_url.get_secret_value()
        chosen = database.plan(self.home, self.home.settings())
        if chosen.embedded and chosen.embedded.pid() is None:
            raise CommandFailed(
                "The embedded PostgreSQL does not run, and a backup is made of a running one.",
                todo="Run `gardenos up`.",
            )
        if chosen.admin_dsn is None:
            raise CommandFailed(
                "No login is known that may replicate.",
                todo="Set GARDENOS_BACKUP_DATABASE_URL to one with REPLICATION.",
            )
        return chosen.admin_dsn


@backup_commands.callback()
def make(
    context: typer.Context,
    *,
    max_rate: Annotated[
        str | None, typer.Option(help="At most so much a second, such as 20M.")
    ] = None,
    keep: Keep = None,
) -> None:
    """Back the database up; without a command, make a full backup now."""
    if context.invoked_subcommand is None:
        asyncio.run(_make(Chest.open(), max_rate, keep))


async def _make(chest: Chest, max_rate: str | None, keep: int | None) -> None:
    from gardenos.backup import archive, base
    from gardenos.backup import server as servers
    from gardenos.cli.screen import console

    async with chest.server() as (conn, server):
        with _watched("Making a full backup") as watch:
            made = await asyncio.to_thread(
                base.make,
                server,
                chest.store,
                # Beside the data rather than in /tmp, which may be small, or memory.
                staging=chest.home.folder,
                max_rate=max_rate,
                watch=watch,
            )
            watch.doing(f"{made.name}: {_megabytes(made.data_size)} in {_megabytes(made.size)}")
        archived = await servers.is_held(conn)
        if archived:
            await archive.catch_up(conn, server, chest.store)
    console.print(f"Stored in {chest.store.where}.")
    if not archived:
        console.print(
            "There is no log after it: it leads to the moment it was made. "
            "`backup archive` keeps the log, which leads to any moment."
        )
    _prune(chest, keep=keep, dry_run=False)


@backup_commands.command("list")
def list_backups() -> None:
    """Show the full backups, and to which moments they lead."""
    from gardenos.cli.screen import console, table

    chest = Chest.open()
    catalog = chest.catalog()
    shown = table("Backup", "Finished", "Data", "Stored", "Leads to", title=chest.store.where)
    for backup in catalog.backups:
        until = catalog.log.leads_to(backup)
        shown.add_row(
            backup.name,
            _time(backup.finished_at),
            _megabytes(backup.data_size),
            _megabytes(backup.size),
            _time(until) if until else "its own end",
        )
    console.print(shown if catalog.backups else f"There is no backup in {chest.store.where}.")


@backup_commands.command()
def verify(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Names and sizes only.")] = False,
) -> None:
    """Check that all is there as it was stored. Exit code 1 where it is not."""
    from gardenos.backup import verify as verification
    from gardenos.cli.screen import console, errors

    chest = Chest.open()
    catalog = chest.catalog()
    with _watched("Checking") as watch:
        report = verification.verify(chest.store, catalog, contents=not quick, watch=watch)
        watch.doing(f"{len(catalog.backups)} backups, {len(catalog.log.segments)} segments of log")
    for verdict in report.verdicts:
        until = f"leads to {_time(verdict.leads_to)}" if verdict.leads_to else "no log follows it"
        state = "; ".join(verdict.faults) or f"sound, {until}"
        console.print(f"{verdict.backup.name}: {state}", markup=False)
    for fault in report.log_faults:
        errors.print(fault, markup=False)
    if not catalog.backups:
        errors.print("There is no backup.")
    if not report.sound or not catalog.backups:
        errors.print("Make a full backup now: what follows it is whole again.")
        raise typer.Exit(1)


@backup_commands.command()
def prune(
    *,
    keep: Keep = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Remove the oldest backups, and the log that no other needs."""
    _prune(Chest.open(), keep=keep, dry_run=dry_run)


def _prune(chest: Chest, *, keep: int | None, dry_run: bool) -> None:
    from gardenos.backup import retention
    from gardenos.cli.screen import console

    catalog = chest.catalog()
    kept = keep or chest.settings.keep
    decided = retention.decide(catalog, keep=kept, now=datetime.now(UTC))
    if not dry_run:
        retention.carry_out(chest.store, decided)
    went = [*(backup.name for backup in decided.backups), *decided.unfinished]
    if went or decided.log:
        verb = "Would remove" if dry_run else "Removed"
        console.print(
            f"{verb} {', '.join(went) or 'no backup'} and {len(decided.log)} files of log; "
            f"{min(kept, len(catalog.backups))} backups stay."
        )


@backup_commands.command()
def archive(
    *,
    once: Annotated[bool, typer.Option("--once", help="Catch up and end.")] = False,
    every_s: Annotated[
        float, typer.Option("--every", min=1, help="Seconds between two looks.")
    ] = 10,
    stop: Annotated[
        bool, typer.Option("--stop", help="Keep the log no longer; what is stored stays.")
    ] = False,
) -> None:
    """Store the log as it is written, until stopped: a restore then leads to any moment."""
    if stop:
        asyncio.run(_release(Chest.open()))
    else:
        asyncio.run(_archive(Chest.open(), once=once, every_s=every_s))


async def _release(chest: Chest) -> None:
    from gardenos.backup import server as servers
    from gardenos.cli.screen import console

    async with chest.server() as (conn, _):
        await servers.release_log(conn)
    console.print("The server keeps its log for the archive no longer.")


async def _archive(chest: Chest, *, once: bool, every_s: float) -> None:
    import asyncpg

    from gardenos.backup import archive
    from gardenos.backup.archive import Reached
    from gardenos.cli.screen import console, errors
    from gardenos.core.errors import GardenOSError

    reached: Reached | None = None
    failed = False
    while True:
        try:
            async with chest.server() as (conn, server):
                now = await archive.catch_up(conn, server, chest.store, reached=reached)
        except (GardenOSError, asyncpg.PostgresError, OSError) as error:
            # The server keeps what is not stored: whatever it is, the next look may find it mended.
            if once:
                raise
            errors.print(f"{datetime.now(UTC):%H:%M:%S} {error}", markup=False)
            failed = True
        else:
            if now.stored or reached is None or failed:
                console.print(f"{datetime.now(UTC):%H:%M:%S} Stored {now.stored} segments.")
            reached, failed = now, False
        if once:
            return
        await asyncio.sleep(every_s)


def restore(
    *,
    to: Annotated[
        str | None,
        typer.Option(
            help="The moment, with its time zone: 2026-11-24T18:30:00+01:00. Default: the end."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--from", help="This backup; by default the last one before it.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="A new folder; by default one below the home.")
    ] = None,
) -> None:
    """Bring the database of a moment back, into a new folder; what there is stays as it is."""
    from gardenos.backup import restore as restoring
    from gardenos.cli import database
    from gardenos.cli.screen import console, near, to_type
    from gardenos.db.embedded import reachable

    moment = _moment(to) if to else None
    chest = Chest.open()
    catalog = chest.catalog()
    goal = restoring.choose(catalog, to=moment, name=name)
    folder = into or chest.home.folder / f"restored-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    with _watched(f"Restoring {goal.backup.name}") as watch:
        done = restoring.restore(
            chest.store, catalog, goal, reachable(folder.expanduser().absolute()), watch=watch
        )
        watch.doing(f"Restored {goal.backup.name}, every table checked")
    reached = _time(moment) if moment else "the end of the log"
    console.print(f"The database as of {reached} is in {near(done.folder)}.")
    console.print("To use it, with GardenOS stopped, put it in the place of:")
    console.print(f"  {near(chest.home.postgres.folder)}", markup=False)
    if database.is_labs(chest.home, chest.home.settings()):
        console.print(to_type(_OF_A_LAB))


def _moment(text: str) -> datetime:
    from gardenos.cli.problems import CommandFailed

    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise CommandFailed(
            f"{text!r} is no moment.", todo="Write it as 2026-11-24T18:30:00+01:00."
        ) from None


@contextmanager
def _watched(what: str) -> Generator[Watch]:
    """A line on the screen that says how far it is."""
    from gardenos.backup.watch import Watch
    from gardenos.cli.screen import step

    with step(what) as say:
        doing = what

        def begin(now: str) -> None:
            nonlocal doing
            doing = now
            say(now)

        def progress(done: int, whole: int) -> None:
            if whole:
                say(f"{doing}: {min(100, done * 100 // whole)} %")

        yield Watch(begin, progress)


def _megabytes(size: int) -> str:
    return f"{size / _MEGA:,.1f} MB"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
