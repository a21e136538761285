"""What a child can do wrong, as errors that whoever asked it catches.

BoxFailure       the child gave no answer; its text is a sentence without a full stop
├── TimedOut     it took longer than it was given; it has been ended
├── Died         it ended by itself, or was ended from outside
├── BrokenReply  what it sent is no answer to what it was asked; it has been ended
├── LoadFailed   it never got ready: the file cannot be imported, or the protection cannot be had
└── Refused      it says that it cannot do what it was asked; it lives
"""

import signal

from core.errors import GrouperError


class BoxFailure(GrouperError):
    """The child gave no answer."""


class TimedOut(BoxFailure):
    """seconds: what the child was given."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"took longer than {seconds:.3g} s and was ended")


class Died(BoxFailure):
    """code: as `subprocess` has it; negative is the signal that ended the child."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"the process {ended_by(code)}")


class BrokenReply(BoxFailure):
    """What came over the pipe is no answer."""


class LoadFailed(BoxFailure):
    """problem: why the child never got ready."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"could not be loaded: {problem}")


class Refused(BoxFailure):
    """The child answers that it cannot.

    retry  whether asking about fewer completions at once may help
    """

    def __init__(self, reason: str, retry: bool = False) -> None:
        self.retry = retry
        super().__init__(reason)


def ended_by(code: int) -> str:
    """ "ended with exit code 3", or "was ended by SIGKILL"; bubblewrap reports signals as 128 and their number."""
    number = -code if code < 0 else code - 128
    if number > 0 and number in [*signal.Signals]:
        return f"was ended by {signal.Signals(number).name}"
    return f"ended with exit code {code}"
