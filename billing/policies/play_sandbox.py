"""The sandbox plays what in life a bank does: every ten seconds it sends the callbacks that are due."""

from datetime import timedelta

from billing.commands.sandbox import play_sandbox_provider
from integration.policies import every

PLAYED_AT_ONCE = 100


@every(timedelta(seconds=10), name="billing.play-sandbox-provider", external=True)
def play() -> None:
    play_sandbox_provider(PLAYED_AT_ONCE)
