"""Threads that work side by side and meet; where one fails, nobody waits for it."""

import threading


def run_team(work, n_threads):
    """Call ``work(number, wait)`` in threads 0, 1, ...; the first is the calling one.

    ``wait()`` returns when all threads have called it. What a thread raised is raised again.
    """
    if n_threads == 1:
        work(0, lambda: None)
        return
    barrier, failures = threading.Barrier(n_threads), []

    def guarded(number):
        try:
            work(number, barrier.wait)
        except threading.BrokenBarrierError:
            pass
        except BaseException as failure:
            failures.append(failure)
            barrier.abort()

    others = [threading.Thread(target=guarded, args=(number,)) for number in range(1, n_threads)]
    for thread in others:
        thread.start()
    guarded(0)
    for thread in others:
        thread.join()
    if failures:
        raise failures[0]
