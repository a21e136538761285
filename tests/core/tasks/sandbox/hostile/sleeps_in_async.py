"""Waits for something that never comes."""

import asyncio


async def reward(completions, **kwargs):
    await asyncio.sleep(3600)
    return [1.0] * len(completions)
