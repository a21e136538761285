"""Where data comes from, as a task says it."""

from dataclasses import dataclass

HUB = "hub:"


@dataclass(frozen=True)
class DataSource:
    """A file, a folder, or a data set on the Hugging Face Hub.

    location  a path, relative ones from the task's folder; or "hub:owner/name"
    config    of a Hub data set; empty: the only one, or "default"
    split     of a Hub data set or a folder; empty: "train", or the only one
    revision  branch, tag or commit of a Hub data set; empty: "main"
    """

    location: str
    config: str = ""
    split: str = ""
    revision: str = ""

    @property
    def on_hub(self) -> bool:
        return self.location.startswith(HUB)

    @property
    def repository(self) -> str:
        """ "owner/name" of a Hub data set."""
        return self.location.removeprefix(HUB)
