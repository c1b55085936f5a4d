from __future__ import annotations

from collections import Counter
from dataclasses import replace

from shared.model.registration import Registration
from shared.model.source import SourceView
from shared.sources.hosts import AT_A_TIME, IN_ALL, Host
from shared.sources.queue import Queue
from shared.sources.source import Source
from tests.builders import registration

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)


def waiting(repo: str, due: float, host: Host, owner: str = "operator") -> Source:
    return Source(SourceView(replace(ROW, repo=repo, registered_by=owner)), due=due, host=host)


def popped(queue: Queue, *, begin: bool = True) -> list[str]:
    """Return the repos that are popped, of which each takes a place of its host."""
    repos: list[str] = []
    while (source := queue.pop()) is not None:
        source.share.busy += begin
        repos.append(source.registration.repo)
    return repos


def test_over_all_hosts_the_longest_overdue_comes_first() -> None:
    one, other, queue = Host(), Host(), Queue()
    for repo, due, host in (("a", 3.0, one), ("b", 1.0, one), ("c", 2.0, other), ("d", 2.0, other), ("e", 0.5, other)):
        queue.put(waiting(repo, due, host))

    assert popped(queue) == ["e", "b", "c", "d", "a"]
    assert queue.pop() is None


def test_those_who_are_there_from_the_start_stand_as_if_they_were_put() -> None:
    one, other = Host(), Host()
    queue = Queue(
        waiting(repo, due, host)
        for repo, due, host in (("a", 3.0, one), ("b", 1.0, one), ("c", 2.0, other), ("d", 2.0, other))
    )

    queue.put(waiting("e", 0.5, other))

    assert popped(queue) == ["e", "b", "c", "d", "a"]


def test_a_host_without_room_keeps_nobody_else_waiting_and_goes_on_when_it_has_room() -> None:
    full, free, queue = Host(), Host(), Queue()
    full.share("operator").busy = AT_A_TIME
    for repo, due, host in (("a", 1.0, full), ("b", 2.0, free), ("c", 3.0, full)):
        queue.put(waiting(repo, due, host))

    before = popped(queue)
    # Comes to stand before those that wait already.
    queue.put(waiting("d", 0.5, full))
    still = popped(queue)
    full.share("operator").busy -= 2

    assert (before, still) == (["b"], [])
    assert popped(queue) == ["d", "a"]
    full.share("operator").busy -= 1
    assert popped(queue) == ["c"]


def test_one_owner_with_many_sources_at_a_host_leaves_places_to_the_others() -> None:
    shared_host, queue = Host(), Queue()
    for number in range(AT_A_TIME + 1):
        queue.put(waiting(f"many{number}", float(number), shared_host, "many"))
    for number in range(6):
        queue.put(waiting(f"few{number}", 100.0 + number, shared_host, "few"))

    begun = popped(queue)
    shared_host.share("many").busy -= 1

    assert begun == [f"many{number}" for number in range(AT_A_TIME)] + ["few0", "few1", "few2", "few3"]
    assert len(begun) == IN_ALL
    assert popped(queue) == [f"many{AT_A_TIME}"]


def test_an_owner_with_few_checks_under_way_does_not_wait_for_all_of_another_one() -> None:
    under_way = Counter({"many": 200})
    queue = Queue((), under_way)
    for number in range(3):
        queue.put(waiting(f"many{number}", float(number), Host(), "many"))
    for number in range(2):
        queue.put(waiting(f"few{number}", 100.0 + number, Host(), "few"))
    queue.put(waiting("none", 200.0, Host(), "none"))

    order = []
    while (source := queue.pop()) is not None:
        under_way[source.registration.registered_by] += 1
        order.append(source.registration.repo)

    assert order == ["few0", "none", "few1", "many0", "many1", "many2"]


def test_a_line_that_was_empty_can_be_joined_again() -> None:
    host, queue = Host(), Queue()
    queue.put(waiting("a", 1.0, host))
    first = popped(queue, begin=False)

    queue.put(waiting("b", 1.0, host))

    assert first + popped(queue) == ["a", "b"]


def test_one_that_is_put_twice_comes_twice() -> None:
    source, queue = waiting("a", 1.0, Host()), Queue()
    queue.put(source)
    queue.put(source)

    assert popped(queue) == ["a", "a"]
