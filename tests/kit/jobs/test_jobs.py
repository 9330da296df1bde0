"""Jobs over a real Postgres: done as the app's role, at least once, in the transaction that asked for them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

import asyncpg
import pytest
from pgqueuer import Queries

from servers.kit.errors import InternalError, InvalidInput, UpstreamError
from servers.kit.jobs import DeadJob, Jobs, Payload
from servers.kit.jobs import task as task_module
from servers.kit.postgres import Postgres


@pytest.fixture
def name() -> str:
    return f"test.{uuid.uuid4().hex}"


@pytest.fixture
def new_jobs(postgres: Postgres, database_url: str) -> Callable[[], Jobs]:
    """Jobs as a process of its own would open them."""
    return lambda: Jobs(postgres, database_url)


@pytest.fixture
def jobs(new_jobs: Callable[[], Jobs]) -> Jobs:
    return new_jobs()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further attempts without the usual pause."""
    monkeypatch.setattr(task_module, "_FIRST_PAUSE_S", 0.0)


class Done:
    """A handler that keeps what it was called with."""

    def __init__(self) -> None:
        self.payloads: asyncio.Queue[Payload] = asyncio.Queue()

    async def __call__(self, payload: Payload) -> None:
        self.payloads.put_nowait(payload)

    async def next(self, seconds: float = 10.0) -> Payload:
        return await asyncio.wait_for(self.payloads.get(), seconds)

    async def nothing(self, seconds: float = 0.5) -> None:
        with pytest.raises(TimeoutError):
            await self.next(seconds)


async def died(jobs: Jobs, name: str) -> DeadJob:
    """The dead job of that name, once there is one."""
    async with asyncio.timeout(10):
        while True:
            for job in await jobs.dead():
                if job.name == name:
                    return job
            await asyncio.sleep(0.05)


async def test_a_job_is_done_with_its_payload(jobs: Jobs, name: str) -> None:
    done = Done()
    jobs.register(name, done)
    async with jobs.running():
        assert await jobs.enqueue(name, {"tenant": "demo", "document": "فاتورة"})
        assert await done.next() == {"tenant": "demo", "document": "فاتورة"}


async def test_a_decorated_function_is_a_handler(jobs: Jobs, name: str) -> None:
    done = Done()

    @jobs.handler(name)
    async def handle(payload: Payload) -> None:
        await done(payload)

    await jobs.enqueue(name, {"tenant": "demo"})  # before anybody runs
    async with jobs.running():
        await done.next()


async def test_a_job_exists_if_and_when_its_transaction_commits(postgres: Postgres, jobs: Jobs, name: str) -> None:
    done = Done()
    jobs.register(name, done)
    async with jobs.running():
        with pytest.raises(ZeroDivisionError):
            async with postgres.tenant("demo") as connection:
                assert await jobs.enqueue(name, {"tenant": "demo", "turn": 1}, connection=connection) / 0
        async with postgres.tenant("demo") as connection:
            await jobs.enqueue(name, {"tenant": "demo", "turn": 2}, connection=connection)
            await done.nothing()
        assert (await done.next())["turn"] == 2
        await done.nothing()


async def test_a_delayed_job_waits(jobs: Jobs, name: str) -> None:
    done, clock = Done(), asyncio.get_running_loop()
    jobs.register(name, done)
    async with jobs.running():
        began = clock.time()
        await jobs.enqueue(name, {"tenant": "demo"}, delay=1.0)
        await done.next()
        assert clock.time() - began >= 1.0


async def test_a_unique_job_is_enqueued_once_a_tenant_until_it_is_done(jobs: Jobs, name: str) -> None:
    done = Done()
    jobs.register(name, done)
    taken = [await jobs.enqueue(name, {"tenant": tenant}, unique="document-1") for tenant in ("demo", "demo", "other")]
    assert taken == [True, False, True]
    assert await jobs.enqueue(name, {"tenant": "demo"}, unique="document-2")
    async with jobs.running():
        assert sorted([(await done.next())["tenant"] for _ in range(3)]) == ["demo", "demo", "other"]
        await done.nothing(0.2)
    assert await jobs.enqueue(name, {"tenant": "demo"}, unique="document-1")


@pytest.mark.usefixtures("at_once")
async def test_a_failed_job_is_tried_again(jobs: Jobs, name: str) -> None:
    done, failures = Done(), iter([UpstreamError("down"), ValueError("odd")])

    async def handle(payload: Payload) -> None:
        for failure in failures:
            raise failure
        await done(payload)

    jobs.register(name, handle)
    async with jobs.running():
        await jobs.enqueue(name, {"tenant": "demo"})
        await done.next()
    assert name not in {dead.name for dead in await jobs.dead()}


@pytest.mark.usefixtures("at_once")
async def test_a_job_out_of_attempts_is_kept_and_can_be_revived(jobs: Jobs, name: str) -> None:
    done, broken = Done(), True

    async def handle(payload: Payload) -> None:
        await done(payload)
        if broken:
            raise ValueError("the words of a customer")

    jobs.register(name, handle, attempts=2)
    async with jobs.running():
        await jobs.enqueue(name, {"tenant": "demo", "turn": 7})
        await done.next()
        await done.next()
        dead = await died(jobs, name)
        assert (dead.payload, dead.attempts, dead.reason) == ({"tenant": "demo", "turn": 7}, 2, "ValueError")
        broken = False
        await jobs.revive([dead.id])
        await done.next()
    assert name not in {job.name for job in await jobs.dead()}


async def test_an_error_that_no_attempt_can_mend_is_final(jobs: Jobs, name: str) -> None:
    done = Done()

    async def handle(payload: Payload) -> None:
        await done(payload)
        raise InvalidInput("the document has no text")

    jobs.register(name, handle)
    async with jobs.running():
        await jobs.enqueue(name, {"tenant": "demo"})
        await done.next()
        dead = await died(jobs, name)
    assert (dead.attempts, dead.reason) == (1, "the document has no text")


@pytest.mark.usefixtures("at_once")
async def test_nothing_a_driver_says_is_kept(owner_url: str, jobs: Jobs, name: str) -> None:
    async def handle(_payload: Payload) -> None:
        raise ValueError("0612345678")

    jobs.register(name, handle, attempts=2)
    async with jobs.running():
        await jobs.enqueue(name, {"tenant": "demo"})
        await died(jobs, name)
    connection = await asyncpg.connect(owner_url)
    kept = await connection.fetchval(
        "SELECT string_agg(traceback::text, ' ') FROM pgqueuer_log WHERE entrypoint = $1", name
    )
    await connection.close()
    assert "ValueError" in kept
    assert "0612345678" not in kept


@pytest.mark.usefixtures("at_once")
async def test_an_attempt_has_a_time_limit(jobs: Jobs, name: str) -> None:
    async def handle(_payload: Payload) -> None:
        await asyncio.sleep(60)

    jobs.register(name, handle, attempts=1, seconds=0.1)
    async with jobs.running():
        await jobs.enqueue(name, {"tenant": "demo"})
        assert (await died(jobs, name)).reason == "TimeoutError"


async def test_many_workers_do_each_job_once(new_jobs: Callable[[], Jobs], name: str) -> None:
    done, workers = Done(), [new_jobs() for _ in range(3)]
    for worker in workers:
        worker.register(name, done)
    async with workers[0].running(), workers[1].running(), workers[2].running():
        await asyncio.gather(*(workers[0].enqueue(name, {"number": number}) for number in range(200)))
        assert sorted([(await done.next())["number"] for _ in range(200)]) == list(range(200))
        await done.nothing()


async def test_jobs_that_a_process_does_not_know_are_left_to_others(new_jobs: Callable[[], Jobs], name: str) -> None:
    done, knowing = Done(), new_jobs()
    knowing.register(name, done)
    ignorant = new_jobs()
    async with ignorant.running():
        await ignorant.enqueue(name, {})
        await done.nothing()
        async with knowing.running():
            await done.next()


async def test_a_stopping_process_finishes_its_jobs(jobs: Jobs, name: str) -> None:
    began, done = asyncio.Event(), Done()

    async def handle(payload: Payload) -> None:
        began.set()
        await asyncio.sleep(0.5)
        await done(payload)

    jobs.register(name, handle)
    async with jobs.running():
        await jobs.enqueue(name, {})
        await began.wait()
    assert not done.payloads.empty()


async def test_a_job_that_outlives_the_grace_is_put_back(new_jobs: Callable[[], Jobs], name: str) -> None:
    began, done, first, second = asyncio.Event(), Done(), new_jobs(), new_jobs()

    async def handle(_payload: Payload) -> None:
        began.set()
        await asyncio.sleep(60)

    first.register(name, handle)
    second.register(name, done)
    async with first.running(grace=0.1):
        await first.enqueue(name, {"tenant": "demo"})
        await began.wait()
    async with second.running():
        await done.next()


async def test_a_schedule_runs_by_the_clock_in_one_process(new_jobs: Callable[[], Jobs], name: str) -> None:
    done, workers = Done(), [new_jobs() for _ in range(2)]
    for worker in workers:
        worker.schedule(name, "* * * * * *", done)  # the sixth field counts seconds
    async with workers[0].running(), workers[1].running():
        assert [await done.next() for _ in range(2)] == [{}, {}]


async def test_two_handlers_of_one_name_are_refused(jobs: Jobs, name: str) -> None:
    jobs.register(name, Done())
    with pytest.raises(InternalError):
        jobs.register(name, Done())


async def test_the_migration_is_what_the_library_declares(owner_url: str) -> None:
    connection = await asyncpg.connect(owner_url)
    plan = await Queries.from_asyncpg_connection(connection).plan_upgrade()
    await connection.close()
    assert not plan.statements


async def test_the_app_cannot_change_the_queue_s_tables(postgres: Postgres) -> None:
    for statement in ("DROP TABLE pgqueuer", "TRUNCATE pgqueuer", "ALTER TABLE pgqueuer ADD COLUMN x int"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with postgres.system() as connection:
                await connection.execute(statement)
