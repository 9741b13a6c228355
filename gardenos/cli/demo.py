"""`gardenos up --demo`: sixty leads in, scored, the ten best out, and one message drafted."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import httpx
from rich.markup import escape
from rich.panel import Panel

from gardenos.cli import imports, leads
from gardenos.cli.cluster import ROOT
from gardenos.cli.home import Home, write_private
from gardenos.cli.screen import console, table
from gardenos.core.errors import NotFound
from gardenos.sdk import FollowUp, GardenOS, Lead, StoredFollowUp
from gardenos.sdk.call import Call, nothing

LEADS = ROOT / "examples" / "leads.csv"
_BEST = 10
_CONTEXT = "How we could help you win more customers"
_AGENCY = "Demo Agency"
_AGENCY_PATH = "/v1/agency"


def run(home: Home, client: GardenOS) -> None:
    """Show what GardenOS does with leads. Run again, it shows the same leads and imports none."""
    _name_agency(client)
    scored_before = leads.count_scored(client)
    if _was_imported(home, client):
        console.print(f"The leads of {LEADS.name} are here from an earlier demo.")
    else:
        done = imports.import_file(client, LEADS, None, {"score": True, "again": True})
        _remember(home, str(done.id))
        imports.show(done)
        leads.wait_for_scores(client, done.tasks_enqueued, scored_before=scored_before)
    scored = {"quality_score.gte": 0}
    best = list(client.leads.page(scored, limit=_BEST, sort="-quality_score").items)
    _show_best(client, best)
    if best:
        _show_draft(best[0], _draft(client, best[0]))


def _show_best(client: GardenOS, best: list[Lead]) -> None:
    shown = table(*leads.score_columns(), "Lead", "Main reason", title="The ten best leads")
    for lead in best:
        reason = escape(_main_reason(client, lead))
        shown.add_row(*leads.score_of(lead), leads.card(lead), reason)
    console.print(shown)


def _main_reason(client: GardenOS, lead: Lead) -> str:
    """What speaks for the lead most, in words; empty where nothing does."""
    scores = client.leads.scores(lead).items
    reasons = [r for r in scores[0].reasons if r.contribution > 0] if scores else []
    return max(reasons, key=lambda reason: reason.contribution).text if reasons else ""


def _draft(client: GardenOS, lead: Lead) -> FollowUp | StoredFollowUp:
    """The draft an earlier demo left, else a new one."""
    drafts = client.leads.follow_ups(lead).items
    if drafts:
        return drafts[0]
    return client.orchestrator.generate_follow_up(lead, _CONTEXT)


def _show_draft(lead: Lead, draft: FollowUp | StoredFollowUp) -> None:
    made_by = f"by {draft.provider} ({draft.model}), a draft: nothing is sent"
    title = f"A follow-up to {escape(leads.name_of(lead))}"
    panel = Panel(escape(draft.full_message), title=title, subtitle=escape(made_by), padding=(1, 2))
    # A letter wraps, unlike the rest of what commands print.
    console.print(panel, soft_wrap=False)


def _name_agency(client: GardenOS) -> None:
    """Give the agency that `up` made a name to sign letters with, unless it has been given one."""

    def read(answer: httpx.Response) -> tuple[str, str]:
        return str(answer.json()["name"]), answer.headers["ETag"]

    name, tag = client.driver.run(Call("GET", _AGENCY_PATH, read))
    if "@" not in name:
        return
    body = {"name": _AGENCY}
    client.driver.run(Call("PATCH", _AGENCY_PATH, nothing, json=body, headers={"If-Match": tag}))
    console.print(f"Your agency is called {_AGENCY} now; `PATCH {_AGENCY_PATH}` renames it.")


def _was_imported(home: Home, client: GardenOS) -> bool:
    """Whether this file went into this database before; a new database knows nothing of it."""
    try:
        kept = json.loads(_note(home).read_text("utf-8"))
        if kept["file"] != _checksum(LEADS):
            return False
        client.imports.get(str(kept["import"]))
    except (OSError, ValueError, KeyError, NotFound):
        return False
    return True


def _remember(home: Home, import_id: str) -> None:
    note = {"file": _checksum(LEADS), "import": import_id}
    write_private(_note(home), json.dumps(note) + "\n")


def _note(home: Home) -> Path:
    return home.run / "demo.json"


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
