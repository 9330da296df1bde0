"""Circuit breaker and latency, on a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.llm.health import FAILURES, Breaker, Health, Latency


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def open_it(breaker: Breaker) -> None:
    for _ in range(FAILURES):
        breaker.fail(breaker.enter())


def test_failures_in_a_row_open_it_and_a_success_between_does_not(breaker: Breaker) -> None:
    for _ in range(FAILURES - 1):
        breaker.fail(breaker.enter())
    breaker.succeed(breaker.enter())
    for _ in range(FAILURES - 1):
        breaker.fail(breaker.enter())
    assert breaker.admits()
    breaker.fail(breaker.enter())
    assert not breaker.admits()
    assert breaker.seconds_left() == 1


def test_one_probe_at_a_time_closes_it_or_doubles_the_pause(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    for pause in (1, 2, 4, 8, 16, 30, 30):
        clock.now += pause - 0.01
        assert not breaker.admits()
        clock.now += 0.02
        assert breaker.admits()
        probe = breaker.enter()
        assert not breaker.admits()
        breaker.fail(probe)
    clock.now += 31
    breaker.succeed(breaker.enter())
    assert breaker.closed
    open_it(breaker)
    assert breaker.seconds_left() == 1


def test_a_probe_whose_caller_went_away_makes_room_for_the_next(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += 2
    breaker.leave(breaker.enter())
    assert breaker.admits()
    assert not breaker.closed


def test_calls_from_before_it_opened_are_not_heard(breaker: Breaker, clock: Clock) -> None:
    early = [breaker.enter() for _ in range(20)]
    for entered in early[:10]:
        breaker.fail(entered)
    assert breaker.seconds_left() == 1  # seven more failures of one outage are no reason to wait longer
    breaker.succeed(early[10])
    assert not breaker.closed
    clock.now += 2
    probe = breaker.enter()
    breaker.leave(early[11])
    assert not breaker.admits()
    breaker.succeed(probe)
    assert breaker.closed


def test_a_server_that_asks_to_be_left_alone_is(breaker: Breaker, clock: Clock) -> None:
    breaker.fail(breaker.enter(), retry_after=7)
    assert breaker.seconds_left() == 7
    clock.now += 7
    breaker.fail(breaker.enter(), retry_after=86_400)
    assert breaker.seconds_left() == 30


@given(st.lists(st.sampled_from(["enter", "succeed", "fail", "leave", "wait"]), max_size=200))
def test_it_is_never_shut_for_good(steps: list[str]) -> None:
    clock = Clock()
    breaker = Breaker(clock)
    entered: list[int] = []
    for step in steps:
        if step == "enter" and breaker.admits():
            entered.append(breaker.enter())
        elif step == "wait":
            clock.now += 5
        elif step != "enter" and entered:
            getattr(breaker, step)(entered.pop(0))
    for call in entered:
        breaker.leave(call)
    clock.now += 31
    assert breaker.admits()


def test_latency_knows_peaks_at_once_and_forgets_by_and_by(clock: Clock) -> None:
    latency = Latency(clock)
    assert latency.estimate == 0
    for _ in range(100):
        latency.observe(0.1)
        clock.now += 1
    assert latency.estimate == pytest.approx(0.1, rel=0.1)
    latency.observe(2.0)
    assert latency.estimate == 2.0
    clock.now += 30
    latency.observe(0.1)
    assert 0.1 < latency.estimate < 1
    clock.now += 600
    assert latency.estimate < 0.001


def test_the_95th_percentile_needs_measurements(clock: Clock) -> None:
    latency = Latency(clock)
    for number in range(19):
        latency.observe(number / 100)
    assert latency.p95 is None
    for number in range(19, 100):
        latency.observe(number / 100)
    assert latency.p95 == pytest.approx(0.95)


def test_calls_in_flight_make_a_model_less_attractive(clock: Clock) -> None:
    busy, idle = Health(clock), Health(clock)
    busy.latency.observe(0.1)
    idle.latency.observe(0.15)
    assert busy.load < idle.load
    busy.in_flight = 1
    assert busy.load > idle.load
