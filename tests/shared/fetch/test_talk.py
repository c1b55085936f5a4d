from __future__ import annotations

import asyncio

import pytest

from shared.clock import Clock
from shared.fetch.talk import TalkTime
from tests.builders import Hands


async def test_time_counts_while_it_runs_and_stands_still_while_the_hub_waits_for_itself() -> None:
    hands = Hands()
    talk = TalkTime(hands.clock())

    hands.advance(50)
    async with talk.running(20):
        hands.advance(1.5)
        assert talk.seconds == 1.5
        with talk.paused():
            hands.advance(95)
            assert talk.seconds == 1.5
        hands.advance(0.25)
    hands.advance(50)
    async with talk.running(20):
        hands.advance(2)

    assert (talk.seconds, talk.milliseconds) == (3.75, 3750)


async def test_the_time_of_a_talk_is_one_deadline_over_all_its_parts() -> None:
    hands = Hands()
    talk = TalkTime(hands.clock())
    async with talk.running(20):
        hands.advance(20)

    with pytest.raises(TimeoutError):
        async with talk.running(20):
            await asyncio.Event().wait()


async def test_the_deadline_stands_still_too() -> None:
    talk = TalkTime(Clock())

    async with talk.running(0.1):
        with talk.paused():
            # TimeoutError would come here.
            await asyncio.sleep(0.2)


async def test_the_deadline_goes_on_after_a_pause() -> None:
    talk = TalkTime(Clock())

    async def paused_and_hanging() -> None:
        async with talk.running(0.1):
            with talk.paused():
                await asyncio.sleep(0)
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await paused_and_hanging()


async def test_a_talk_without_a_deadline_may_pause() -> None:
    talk = TalkTime(Clock())

    with talk.paused():
        await asyncio.sleep(0)

    assert talk.seconds >= 0
