"""Up and down: a list of steps, each of which makes sure of one thing and can be undone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

from rich.markup import escape

from gardenos.cli import cluster, database, preflight, secrets
from gardenos.cli.database import Plan
from gardenos.cli.home import Home
from gardenos.cli.operator import Welcome, ensure_operator, require_address
from gardenos.cli.problems import Interrupted
from gardenos.cli.screen import Say, console, near, step
from gardenos.core.config import Settings
from gardenos.serve.environment import Ports

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `up` found and did."""

    settings: Settings
    healed: tuple[str, ...] = ()
    """What did not run and was started, in the order of the steps."""
    was_running: bool = False
    welcome: Welcome | None = None
    """The operator's account, where it was made just now."""


def up(home: Home, *, email: str, use: str | None = None) -> Outcome:
    """Make sure that everything runs; start what does not. `use` is the database from now on.

    Raises `CommandFailed` and the like where a step fails; then everything that was started is
    stopped again, and what ran before still does.
    """
    require_address(email)
    preflight.refuse(preflight.machine(home.folder))
    home.make()
    with home.locked("up"), _interruptible() as interruption:
        if use is not None:
            database.choose(home, use)
        undo = ExitStack()
        try:
            return _Start(home, undo, interruption, email).run()
        except BaseException:
            _stop_again(undo)
            # Ctrl-C reaches the programs of a step too: what they then failed at is not the news.
            interruption.check()
            raise


def _stop_again(undo: ExitStack) -> None:
    """Undo in peace: a second Ctrl-C would leave half of it running."""
    for number in _ENDS if threading.current_thread() is threading.main_thread() else ():
        signal.signal(number, signal.SIG_IGN)
    with step("Stopping again what this `up` had started") as say:
        undo.close()
        say("What this `up` had started is stopped again")


def down(home: Home) -> list[str]:
    """Stop what `up` started, the database last; the names of what was stopped."""
    if not home.folder.is_dir():
        return []
    stopped: list[str] = []
    with home.locked("down"), _interruptible() as interruption:
        if home.running() or cluster.orphans(home):
            with step("Stopping Ray, the API and the agents") as say:
                cluster.end(home)
                say("Ray, the API and the agents stopped")
            stopped.append("Ray")
        home.forget()
        interruption.check()
        if home.postgres.pid() is not None:
            with step("Stopping PostgreSQL") as say:
                home.postgres.stop()
                say("PostgreSQL stopped")
            stopped.append("PostgreSQL")
    return stopped


class _Start:
    """One run of `up`."""

    def __init__(self, home: Home, undo: ExitStack, interruption: Interruption, email: str) -> None:
        self.home = home
        self.undo = undo
        self.check = interruption.check
        self.email = email
        self.settings = home.settings()
        self.ran_before = home.running() is not None
        self.healed: list[str] = []

    def run(self) -> Outcome:
        """Every step in order. Ray comes up while the database is migrated."""
        self.sweep()
        self.check_ports()
        self.make_secrets()
        self.check()
        chosen = self.start_database()
        self.check()
        started_ray = self.launch_ray()
        self.migrate(chosen)
        self.check()
        self.deploy(started_ray)
        self.check()
        welcome = self.make_operator(chosen)
        return Outcome(self.settings, tuple(self.healed), self.ran_before, welcome)

    def sweep(self) -> None:
        """End what a killed Ray left behind: an orphaned HAProxy would hold the port."""
        if cluster.orphans(self.home):
            with step("Clearing away what a killed Ray left behind") as say:
                cluster.end(self.home)
                say("Cleared away what a killed Ray had left behind")

    def check_ports(self) -> None:
        if not self.ran_before:
            preflight.refuse(preflight.ports(Ports.of(self.settings).all()))

    def make_secrets(self) -> None:
        made = secrets.ensure(self.home, secrets.GENERATORS)
        if not database.is_external(self.home, self.settings):
            made += secrets.ensure(self.home, secrets.EMBEDDED)
        if made:
            where = escape(near(self.home.secrets))
            console.print(f"[green]✓[/] Secrets of this installation made in {where}")
        self.settings = self.home.settings()

    def start_database(self) -> Plan:
        chosen = database.plan(self.home, self.settings)
        server = chosen.embedded
        if server is None:
            with step("Asking the database") as say:
                database.require(chosen)
                say(f"The database at {chosen.where} answers")
            return chosen
        if server.pid() is None:
            superuser = secrets.read(self.home, secrets.SUPERUSER_PASSWORD) or ""
            with step("Starting PostgreSQL") as say:
                if not (server.data / "PG_VERSION").exists():
                    say("Making the database's folder")
                    server.initialise(superuser)
                self.undo.callback(server.stop)
                server.start()
                say("PostgreSQL runs")
            self.healed.append("PostgreSQL")
        secrets.put(self.home, secrets.DATABASE_URL, chosen.app_dsn)
        self.settings = self.home.settings()
        return chosen

    def launch_ray(self) -> bool:
        if self.home.running() is not None:
            return False
        self.undo.callback(cluster.end, self.home)
        cluster.launch(self.home, self.settings)
        self.healed.append("Ray")
        return True

    def migrate(self, chosen: Plan) -> None:
        with step("Bringing the database's schema up to date") as say:
            applied = database.bring_up_to_date(
                chosen, lambda m: say(f"Migrating: {m.number:04d} {m.name.replace('_', ' ')}")
            )
            count = f"{len(applied)} migration{'s' * (len(applied) != 1)} applied"
            say(f"The database's schema is up to date{f', {count}' if applied else ''}")

    def deploy(self, started_ray: bool) -> None:
        if started_ray:
            with step("Starting Ray") as say:
                cluster.wait_for_ray(self.home, self.settings, self.attentive(say))
        if started_ray or not cluster.is_deployed(self.home, self.settings):
            with step("Deploying the API and the agents") as say:
                cluster.deploy(self.home, self.settings)
                say("The API and the agents are deployed")
            if not started_ray:
                self.healed.append("the API and the agents")
        if cluster.why_not_ready(self.settings) is not None:
            with step("Waiting until everything is ready") as say:
                cluster.wait_until_ready(self.home, self.settings, self.attentive(say))

    def attentive(self, say: Say) -> Say:
        """A step that goes on saying what it waits for ends where somebody asked to stop."""

        def said(what: str) -> None:
            self.check()
            say(what)

        return said

    def make_operator(self, chosen: Plan) -> Welcome | None:
        """Last, so that a password is made only when it can be shown."""
        return ensure_operator(chosen, self.email)


class Interruption:
    """Ctrl-C, SIGTERM or SIGHUP: noted, and acted upon between two steps; the second one at once.

    An exception raised in the middle of anything could be lost in a finaliser, or leave a file or
    a process that nobody knows of.
    """

    def __init__(self) -> None:
        self._asked: type[BaseException] | None = None

    def note(self, number: int, _frame: FrameType | None) -> None:
        """The signals' handler."""
        again = self._asked is not None
        self._asked = KeyboardInterrupt if number == signal.SIGINT else Interrupted
        if again:
            raise self._asked

    def check(self) -> None:
        """Raise `KeyboardInterrupt` or `Interrupted` where somebody asked to stop."""
        if self._asked is not None:
            raise self._asked


@contextmanager
def _interruptible() -> Generator[Interruption]:
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption.note) for number in _ENDS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
