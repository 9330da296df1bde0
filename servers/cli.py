"""The `salambot` command line."""

from __future__ import annotations

import os

import typer


def main() -> None:
    """Entry point of the `salambot` script."""
    # Read by grpc when it is imported: we never fork, and its fork handlers complain under uvloop.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    _app()()


def _app() -> typer.Typer:
    from servers.commands import chat, doctor, migrate, serve, tenant, up
    from servers.commands.eval import app as evaluation
    from servers.commands.kb import app as knowledge

    app = typer.Typer(
        name="salambot",
        help="Customer-service AI for Moroccan businesses.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.command("up")(up.up)
    app.command("serve")(serve.serve)
    app.command("gateway")(serve.gateway)
    app.command("chat")(chat.chat)
    app.command("doctor")(doctor.doctor)
    app.command("migrate")(migrate.migrate)
    app.add_typer(tenant.app, name="tenant")
    app.add_typer(knowledge, name="kb")
    app.add_typer(evaluation, name="eval")
    return app
