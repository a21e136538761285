"""Every name of Gradio that its documentation does not promise lives here, and nowhere else in `webui`.

Each has a record (`Shim`): what it is for, the versions it is known to work with, where it stands in the other project,
and when it can go. `expected()` says which of them are not as they were; the pages do without those. Styles cannot
import names: the selectors they lean on are listed here too, and a test looks for each in a browser.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shim:
    """One thing that is used without the other project's promise.

    name           what it is called there
    why            what it is used for, and what is missing without it
    known_to_work  the versions with which it was seen to work
    upstream       the issue or source file where it stands
    until          what has to happen there for it to go
    """

    project: str
    name: str
    why: str
    known_to_work: tuple[str, ...]
    upstream: str
    until: str
