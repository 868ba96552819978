"""Work on several items at once, with results in order and a bounded number of items in flight."""

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
    """Yield an iterator over the results, in the order of the items, while threads work on the next items.

    An error is raised when the result of its item is due. When the block ends, for any reason, no thread is left
    behind: running work is waited for, pending work is cancelled.

    Parameters
    ----------
    work : callable
        Called with each item: in worker threads, or in the calling thread if there is only one item at a time.
    items : iterable
        The items; each is fetched when its work is submitted.
    threads : int
        Number of worker threads.
    in_flight : int
        Maximum number of items submitted whose results have not been fetched; it bounds memory.
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
