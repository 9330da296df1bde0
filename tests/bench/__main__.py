"""Runs the benchmarks, shows a table, writes `$SALAMBOT_HOME/bench.json`. Ends with 1 when a goal is missed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from servers.kit.settings import read_settings
from tests.bench.gateway import gateway
from tests.bench.interceptors import interceptors
from tests.bench.message import message
from tests.bench.nlu import nlu
from tests.bench.rag import rag
from tests.bench.result import Result

BENCHMARKS: dict[str, Callable[[], Awaitable[list[Result]]]] = {
    "gateway": gateway,
    "interceptors": interceptors,
    "message": message,
    "nlu": nlu,
    "rag": rag,
}


async def measure(names: list[str]) -> list[Result]:
    """The results of the named benchmarks, one after the other: they would disturb each other."""
    console = Console(stderr=True)
    results = []
    for name in names:
        with console.status(f"measuring {name} …"):
            results += await BENCHMARKS[name]()
        await asyncio.sleep(1)
    return results


def show(results: list[Result]) -> None:
    """A table on the screen."""
    table = Table("what", "value", "against", "its value", "ratio", "goal", "")
    for result in results:
        against = f"{result.against_value:g}" if result.against_value is not None else ""
        ratio = f"{result.ratio:.2f}" if result.ratio is not None else ""
        well = {True: "[green]✓[/]", False: "[red]✗[/]"}[result.ok]
        table.add_row(result.name, f"{result.value:g} {result.unit}", result.against, against, ratio, result.goal, well)
    Console(width=max(120, Console().width)).print(table)


def main() -> None:
    """Entry point of `python -m tests.bench [NAME…]`."""
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # for the servers it starts
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    results = uvloop.run(measure(names))
    show(results)
    home = read_settings().home
    home.mkdir(parents=True, exist_ok=True)
    (home / "bench.json").write_bytes(orjson.dumps([asdict(item) for item in results], option=orjson.OPT_INDENT_2))
    sys.exit(not all(result.ok for result in results))


if __name__ == "__main__":
    main()
