"""The protocol every way of handing the adapter over follows."""

from typing import Any, Protocol

from peft import PeftModel


class AdapterSync(Protocol):
    """One way of handing the adapter over."""

    name: str

    def connect(self, policy: PeftModel) -> None:
        """Takes the policy that `push` will hand over."""

    def push(self) -> None:
        """Makes the engine follow the policy as it is now."""

    def leave(self) -> None:
        """Leaves the engine with the plain base weights and no adapter, for another way to go on from."""

    def request(self) -> Any:
        """What vLLM wants beside a prompt: a LoRARequest, or None."""
