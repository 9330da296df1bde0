"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import MethodDescriptor

from servers.kit.method import methods_of
from servers.registry import COMPONENTS, Component

ROOT = Path(__file__).parents[1]
COMPOSITION_ROOT = {"__main__", "cli", "commands", "demo", "registry", "runtime", "state"}
LINES = 350

Import = tuple[Path, int, str]


def modules(*folders: str) -> list[Path]:
    """The Python files under folders of the repository."""
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def relative(file: Path) -> str:
    """The path as people write it."""
    return file.relative_to(ROOT).as_posix()


@cache
def tree(file: Path) -> ast.Module:
    """The parsed module."""
    return ast.parse(file.read_text("utf-8"))


def imports(file: Path) -> Iterator[Import]:
    """Everything a module imports, wherever in it."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from ((file, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{relative(file)}:{node.lineno} imports relatively"
            # `from servers import x` imports servers.x; `from servers.kit import x` is of servers.kit already.
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "servers" else [node.module]
            )
            yield from ((file, node.lineno, str(name)) for name in names)


def part_of(name: str) -> str | None:
    """`servers.nlu` for what is in it, `gateway`, `tests`, `training`; None for what is not of this repository."""
    first, *rest = name.split(".")
    if first == "servers":
        return f"servers.{rest[0]}" if rest else "servers"
    return first if first in {"gateway", "tests", "training"} else None


def allowed(part: str) -> set[str]:
    """What a part may import, besides generated code and packages."""
    if part == "gateway":
        return {"gateway", "servers.kit"}
    if part == "servers.kit":
        return {"servers.kit"}
    return {part, "servers.kit"}


def test_imports_point_one_way() -> None:
    wrong = []
    for file in modules("servers", "gateway"):
        part = part_of(".".join(file.relative_to(ROOT).with_suffix("").parts))
        assert part is not None
        if part.removeprefix("servers.") in COMPOSITION_ROOT:
            continue
        for _, line, name in imports(file):
            target = part_of(name)
            if target is not None and target not in allowed(part):
                wrong.append(f"{relative(file)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_only_tests_import_tests_and_only_training_imports_training() -> None:
    files = modules("servers", "gateway")
    assert not [
        f"{relative(file)}:{line}"
        for f in files
        for file, line, name in imports(f)
        if part_of(name) in {"tests", "training"}
    ]


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_a_component_is_complete(component: Component) -> None:
    missing = []
    if not (ROOT / "proto/salambot" / component.name / "v1" / f"{component.name}_service.proto").is_file():
        missing.append(f"proto/salambot/{component.name}/v1/{component.name}_service.proto")
    if component.built:
        servicer = ROOT / "servers" / component.name / "servicer.py"
        names = {getattr(node, "name", "") for node in tree(servicer).body} if servicer.is_file() else set()
        if "open_servicer" not in names:
            missing.append(f"servers/{component.name}/servicer.py with open_servicer")
        if not list((ROOT / "tests" / component.name).rglob("test_*.py")):
            missing.append(f"tests/{component.name}/")
        if (ROOT / "k8s/base").is_dir() and not (ROOT / "k8s/base" / f"{component.name}.yaml").is_file():
            missing.append(f"k8s/base/{component.name}.yaml")
    assert not missing, f"{component.name} lacks {', '.join(missing)}"
    assert component.descriptor.full_name == component.full_name


def test_what_is_there_has_its_line_in_the_registry() -> None:
    known = {component.name for component in COMPONENTS}
    contracts = {folder.name for folder in (ROOT / "proto/salambot").iterdir()} - {"common"}
    packages = {file.parent.name for file in ROOT.glob("servers/*/servicer.py")}
    assert contracts == known
    assert packages <= known
    built = {component.name for component in COMPONENTS if component.built}
    assert packages == built, "a component with a servicer is built, and says so in the registry"


_SQL = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|CREATE|ALTER|DROP|TRUNCATE|BEGIN|GRANT)\s+[\w*(]")
_STORES = re.compile(r"servers/((?:\w+/)+store|kit/tenants|kit/postgres/\w+|kit/vectors/\w+|kit/jobs/\w+)\.py")
_SQL_ELSEWHERE = {
    "servers/kit/embedded/postgres.py",  # makes the database
    "servers/runtime.py",  # lets the app's role log in to the embedded one
    "servers/commands/doctor.py",  # asks any Postgres for its version
}


def test_sql_lives_in_stores() -> None:
    found = [
        f"{relative(file)}:{node.lineno} {node.value.strip()[:40]!r}"
        for file in modules("servers", "gateway")
        if not _STORES.fullmatch(relative(file)) and relative(file) not in _SQL_ELSEWHERE
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SQL.match(node.value)
    ]
    assert not found, "\n".join(found)


def test_stores_are_opened_for_a_tenant() -> None:
    """A connection of no tenant is the kit's own, and of those who ask a function that answers over all tenants."""
    over_all_tenants = {"servers/rag/store.py"}  # which tenants have documents that wait for work
    found = [
        f"{relative(file)}:{node.lineno}"
        for component in COMPONENTS
        for file in modules(f"servers/{component.name}")
        if relative(file) not in over_all_tenants
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Attribute) and node.attr == "system"
    ]
    assert not found, "\n".join(found)


def test_modules_are_named_after_what_they_hold() -> None:
    vague = {"utils", "util", "helpers", "helper", "misc", "manager", "common", "stuff", "base_utils"}
    named = modules("servers", "gateway", "tests", "training")
    assert not [relative(file) for file in named if {file.stem, file.parent.name} & vague]


def test_every_module_says_what_it_is_for() -> None:
    files = modules("servers", "gateway")
    assert not [relative(file) for file in files if file.stat().st_size and not ast.get_docstring(tree(file))]


def test_files_hold_one_idea() -> None:
    files = [
        file
        for folder in ("servers", "gateway", "tests", "training", "scripts", "clients", "k8s")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in {".py", ".sql", ".sh", ".js", ".ts", ".css", ".yaml"} and "node_modules" not in file.parts
    ]
    long = {relative(file): lines for file in files if (lines := len(file.read_text("utf-8").splitlines())) >= LINES}
    assert not long, long


# Imports every module and tells what it did besides: sockets, processes, threads, files written.
_IMPORT = """
import sys, threading
from importlib import import_module

done, name = [], ""

def watch(event, arguments):
    if event in {"socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.mkdir", "os.fork"}:
        done.append(f"{name}: {event}{arguments}")
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        done.append(f"{name}: writes {arguments[0]}")

for name in ("grpc", "redis", "asyncpg", "httpx", "onnxruntime", "tritonclient.grpc.aio", "pymilvus", "uvicorn", "pgqueuer"):
    import_module(name)  # what packages do to themselves is theirs
sys.addaudithook(watch)
for name in sys.argv[1:]:
    before = set(threading.enumerate())
    import_module(name)
    done += [f"{name}: starts {thread.name}" for thread in set(threading.enumerate()) - before]
print("\\n".join(done))
"""


def test_nothing_happens_at_import() -> None:
    scripts = {"servers/kit/embedded/launch.py"}
    names = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in modules("servers", "gateway")
        if "backends" not in file.parts and relative(file) not in scripts  # run by Triton, and as a script
    ]
    result = subprocess.run(
        [sys.executable, "-B", "-c", _IMPORT, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert not result.stdout.strip(), result.stdout


@cache
def comments() -> dict[str, str]:
    """The comment of each RPC, by its full name."""
    files = descriptor_pb2.FileDescriptorSet.FromString((ROOT / "gen/salambot/api.binpb").read_bytes())
    found = {}
    for file in files.file:
        for location in file.source_code_info.location:
            match list(location.path):
                case [6, service, 2, method]:
                    owner = file.service[service]
                    name = f"{file.package}.{owner.name}.{owner.method[method].name}"
                    found[name] = " ".join(location.leading_comments.split())
    return found


RPCS = [method for component in COMPONENTS for method in component.descriptor.methods]


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: f"{rpc.containing_service.name}.{rpc.name}")
def test_an_rpc_is_documented_and_governed(rpc: MethodDescriptor) -> None:
    (method,) = (item for item in methods_of(rpc.containing_service) if item.path.endswith(f"/{rpc.name}"))
    assert method.contractual
    policy = {field.name: value for field, value in _policy(rpc)}
    assert policy.get("timeout_ms"), "the policy gives no timeout"
    assert policy.get("scope"), "the policy names no scope"

    comment = comments()[rpc.full_name]
    assert comment.startswith(rpc.name), "the comment begins with the RPC's name, and says what it does"
    assert "Errors:" in comment
    told = re.search(r"At most ([\d.]+) (ms|s|minutes|hours)\b", comment)
    assert told, "the comment says how long it may take"
    unit = {"ms": 1, "s": 1000, "minutes": 60_000, "hours": 3_600_000}[told[2]]
    assert float(told[1]) * unit == policy["timeout_ms"]

    assert [field.name for field in rpc.input_type.fields][:2] == ["envelope", "data"]
    assert [field.name for field in rpc.output_type.fields][:2] == ["envelope", "data"]
    assert (rpc.input_type.name, rpc.output_type.name) == (f"{rpc.name}Request", f"{rpc.name}Response")


def _policy(rpc: MethodDescriptor) -> Iterator[tuple[descriptor_pb2.FieldDescriptorProto, object]]:
    for option, value in rpc.GetOptions().ListFields():
        if option.full_name == "salambot.common.v1.policy":
            yield from value.ListFields()
