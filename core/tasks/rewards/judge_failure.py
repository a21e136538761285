"""Why a judge gave no score."""


class JudgeFailure(Exception):
    """The text is a sentence without a full stop.

    final  no other request can fare better: the key, the address or the model is wrong
    """

    def __init__(self, reason: str, final: bool = False) -> None:
        self.final = final
        super().__init__(reason)
