"""Work on many items at once, with the results in order and only so many of them in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def in_order(work: Callable[[T], R], items: Iterable[T], threads: int, in_flight: int) -> Iterator[Iterator[R]]:
    """Give the results of some work, item by item in the items' order, while threads are busy with the next.

    An error of the work is raised in its item's turn. When the block is left, however that happens, no thread is left
    behind: work under way is waited for, work not yet begun is dropped.

    Parameters
    ----------
    work : callable
        What is done with each item: in threads, or in the caller's own where there is but one item at a time.
    items : iterable
        The items; each is taken when it is begun.
    threads : int
        How many are worked on at once.
    in_flight : int
        How many, at most, are begun but not yet taken: it bounds memory.
    """
    items = iter(items)
    first = list(islice(items, 2))
    if in_flight == 1 or len(first) < 2:
        yield map(work, chain(first, items))
        return
    pool = ThreadPoolExecutor(min(threads, in_flight), "lithovae")

    def results() -> Iterator[R]:
        waiting: deque[Future[R]] = deque()
        for item in chain(first, items):
            waiting.append(pool.submit(work, item))
            if len(waiting) == in_flight:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    try:
        yield results()
    finally:
        pool.shutdown(cancel_futures=True)
