"""What the Hugging Face Hub says of a data set, its refusals as sentences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from core.errors import GrouperError, InvalidInput, NotFound
from core.models.locate import HUB_TIMEOUT_S
from core.tasks.data.choice import listed
from core.tasks.data.source import DataSource

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Hub:
    """How the Hub is reached; what is None is as huggingface_hub has it (HF_ENDPOINT, HF_HOME, HF_TOKEN).

    cache  the folder that downloads are kept in
    """

    endpoint: str | None = None
    cache: Path | None = None
    token: str | None = None


@dataclass(frozen=True)
class DatasetInfo:
    """A commit of a data set: its files, their sizes in bytes, and the YAML at the head of its README."""

    commit: str
    names: tuple[str, ...]
    sizes: Mapping[str, int]
    card: Mapping[str, Any]


def dataset_info(source: DataSource, hub: Hub, revision: str) -> DatasetInfo:
    """Raises what huggingface_hub does. Paths that lead out of the repository are left out."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    info = api.dataset_info(source.repository, revision=revision or None, timeout=HUB_TIMEOUT_S, files_metadata=True)
    siblings = [each for each in info.siblings or [] if not {"..", ""} & {*each.rfilename.split("/")}]
    card: Mapping[str, Any] = vars(info.card_data) if info.card_data else {}
    return DatasetInfo(
        info.sha or "",
        tuple(each.rfilename for each in siblings),
        {each.rfilename: each.size or 0 for each in siblings},
        card,
    )


class OutOfReach(Exception):
    """The Hub cannot be reached."""


def ask(source: DataSource, hub: Hub, question: Callable[[], Answer]) -> Answer:
    """The Hub's answer, its refusals as sentences. Raises OutOfReach, InvalidInput and NotFound."""
    import httpx
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )

    try:
        return question()
    except HfHubHTTPError as failure:
        raise _refusal(source, hub, failure) from None
    except (httpx.HTTPError, OfflineModeIsEnabled, LocalEntryNotFoundError):
        raise OutOfReach from None
    except HFValidationError:
        raise InvalidInput("data", source.location, "which names no data set", "write hub:owner/name") from None
    except OSError as failure:
        problem = f"which cannot be downloaded ({failure.strerror or failure})"
        raise InvalidInput("data", source.location, problem, "see whether the disk is full") from None


def _refusal(source: DataSource, hub: Hub, failure: Exception) -> GrouperError | OutOfReach:
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(failure, GatedRepoError):
        problem = "whose licence has to be accepted first"
        return InvalidInput("data", source.location, problem, "accept it on its Hub page and set HF_TOKEN")
    if isinstance(failure, RepositoryNotFoundError):
        problem = "which the Hugging Face Hub does not have"
        return NotFound("data", source.location, problem, "check the spelling; private data sets need HF_TOKEN")
    if isinstance(failure, RevisionNotFoundError):
        problem, names = f"which {source.repository} does not have", _revisions(source, hub)
        remedy = f"choose {listed(names)}, or a commit" if names else "name a branch, a tag or a commit"
        return InvalidInput("revision", source.revision, problem, remedy)
    assert isinstance(failure, HfHubHTTPError)
    status = failure.response.status_code
    if status >= 500:
        return OutOfReach()
    problem = f"which the Hugging Face Hub refuses to give (HTTP {status})"
    return InvalidInput("data", source.location, problem, "try again later, or download it and name the folder")


def _revisions(source: DataSource, hub: Hub) -> Sequence[str]:
    """The data set's branches and tags; none where the Hub does not say."""
    import httpx
    from huggingface_hub import HfApi

    try:
        refs = HfApi(endpoint=hub.endpoint, token=hub.token).list_repo_refs(source.repository, repo_type="dataset")
    except httpx.HTTPError:
        return ()
    return [each.name for each in (*refs.branches, *refs.tags)]
