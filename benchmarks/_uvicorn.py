"""The servers that Serve is compared with, each one process of uvicorn on the installation's database.

`same` is GardenOS's own application. `plain` is what one would write without tokens, sessions and
policies: a route, a pool, a query by primary key, past row-level security.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import asyncpg
import typer
import uvicorn
import uvloop
from fastapi import FastAPI, Response
from pydantic_core import to_json

from gardenos.cli.database import plan
from gardenos.cli.home import Home
from gardenos.core.config import Settings
from gardenos.core.ids import LeadId
from gardenos.crm.leads.entity import LEADS
from gardenos.db.pool import open_database, open_pool
from gardenos.db.session import Pool
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose


def plain_api(pool: Pool) -> FastAPI:
    """The route `GET /v1/leads/{id}` with nothing around it; the same columns and bytes."""
    app = FastAPI()
    columns = ", ".join(LEADS.fields)
    read = f"SELECT {columns} FROM leads WHERE id = $1 AND deleted_at IS NULL"  # noqa: S608 our own names

    @app.get("/v1/leads/{lead_id}")
    async def get_lead(lead_id: LeadId) -> Response:  # pyright: ignore[reportUnusedFunction] FastAPI has it
        row = await pool.fetchrow(read, lead_id)
        if row is None:
            return Response(status_code=404)
        return Response(to_json(dict(row)), media_type="application/json")

    return app


async def _application(kind: str, settings: Settings) -> FastAPI:
    chosen = plan(Home.default(), settings)
    size = settings.database_pool_max
    if kind == "same":
        database = await open_database(chosen.app_dsn, max_size=size, name="bench-same")
        return create_api(compose(settings, database))
    if chosen.admin_dsn is None:
        raise asyncpg.InterfaceError("the administrator's login is unknown")
    return plain_api(await open_pool(chosen.admin_dsn, min_size=2, max_size=size, name="plain"))


async def _serve(kind: str, port: int) -> None:
    app = await _application(kind, Home.default().settings())
    config = uvicorn.Config(app, port=port, log_level="warning", access_log=False, lifespan="off")
    await uvicorn.Server(config).serve()


def main(
    kind: Annotated[str, typer.Argument(help="same or plain")], port: Annotated[int, typer.Option()]
) -> None:
    """Serve until the process is ended."""
    known: tuple[Literal["same", "plain"], ...] = ("same", "plain")
    if kind not in known:
        raise typer.BadParameter(f"{kind} is none of {', '.join(known)}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(kind, port))


if __name__ == "__main__":
    typer.run(main)
