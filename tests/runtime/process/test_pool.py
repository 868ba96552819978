from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from lithovae.runtime.process.pool import in_order


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def late(item: int) -> int:
    time.sleep(0.002 * (item % 3))
    return item


@pytest.mark.parametrize(("threads", "in_flight"), [(1, 1), (1, 3), (3, 1), (3, 2), (3, 5)])
@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_results_come_in_order(n: int, threads: int, in_flight: int) -> None:
    with in_order(late, range(n), threads, in_flight) as results:
        assert list(results) == list(range(n))


def test_only_so_many_are_in_flight() -> None:
    begun: list[int] = []
    with in_order(begun.append, range(100), threads=2, in_flight=4) as results:
        for taken, _ in enumerate(results):
            assert len(begun) <= taken + 4


def test_threads_work_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=10)
    with in_order(lambda item: together.wait() >= 0, range(3), threads=3, in_flight=3) as results:
        assert all(results)


def test_an_error_is_raised_in_order_and_the_rest_is_cancelled() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 5:
            raise ValueError("the sixth")
        return item

    taken: list[int] = []
    with pytest.raises(ValueError, match="the sixth"), in_order(work, range(1000), 2, 4) as results:
        taken += results
    assert taken == [] or taken == list(range(5))
    assert len(begun) < 20


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_caller_that_fails_leaves_no_thread(error: type[BaseException]) -> None:
    def give_up_at(item: int) -> None:
        if item == 7:
            raise error

    with pytest.raises(error), in_order(late, range(1000), 3, 5) as results:
        list(map(give_up_at, results))


def test_an_error_of_the_items_themselves() -> None:
    def items() -> Iterator[int]:
        yield from range(4)
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"), in_order(late, items(), 2, 3) as results:
        list(results)
