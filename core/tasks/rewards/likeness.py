"""How like the expected text an answer is, and the language it is in."""

import io
import lzma
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from core.errors import InvalidInput
from core.tasks.rewards.packages import imported
from core.tasks.rewards.reward import Expecting, Tagged

RAPIDFUZZ: Mapping[str, str] = {"rapidfuzz": "train"}
PY3LANGID: Mapping[str, str] = {"py3langid": "train"}


class Fuzzy(Expecting):
    """From 0 for nothing in common to 1 for the same text."""

    about = "How like the expected text the answer is, from 0 to 1."
    source = "RapidFuzz (normalised indel similarity)"
    packages = RAPIDFUZZ
    method: Literal["ratio", "token_set_ratio"] = Field(
        "ratio", description="ratio: letter by letter; token_set_ratio: words in any order, and more of them may stand."
    )
    at_least: float = Field(0.0, ge=0.0, le=1.0, description="What is less alike scores 0.")
    same_case: bool = Field(False, description="Capital letters count.")

    def score(self, text: str, fields: Mapping[str, Any]) -> float | None:
        """None where nothing is expected. Raises InvalidInput without the package."""
        given, wanted = self.given(text), self.wanted.fill(fields).strip()
        if not wanted:
            return None
        if not given:
            return 0.0
        if not self.same_case:
            given, wanted = given.casefold(), wanted.casefold()
        alike = float(getattr(imported("rapidfuzz.fuzz", "train"), self.method)(given, wanted)) / 100
        return alike if alike >= self.at_least else 0.0


class Language(Tagged):
    """1 for text in the wanted language."""

    about = "1 when the text is in the wanted language."
    source = "py3langid 0.4"
    packages = PY3LANGID
    language: str = Field("", pattern=r"^[a-z]{2,3}$|^$", description="Its code, such as en or de.")
    column: str = Field("", max_length=200, description="Column with each row's language code instead.")
    shortest: int = Field(20, ge=1, description="Characters below which a text is too short to tell.")

    @model_validator(mode="after")
    def _one_language(self) -> Self:
        if bool(self.language) == bool(self.column):
            problem = "beside column" if self.column else "and so is column"
            raise InvalidInput("language", self.language, problem, "give one of the two: a code, or a column of codes")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,) if self.column else ()

    def score(self, text: str, fields: Mapping[str, Any]) -> float | None:
        """None for a text too short to tell. Raises InvalidInput for a language that is not known."""
        given = self.given(text)
        if given is None:
            return 0.0
        wanted = str(fields[self.column]).strip().lower() if self.column else self.language
        if wanted not in _known():
            raise InvalidInput("language", wanted, "which cannot be told", f"use one of {', '.join(sorted(_known()))}")
        if len(given) < self.shortest:
            return None
        return float(_identifier().classify(given)[0] == wanted)


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """Takes about a second the first time.

    py3langid reads its model through a temporary file of 68 MB; a child that scores may write none, so it is read here.
    """
    import numpy as np

    module = imported("py3langid.langid", "train")
    packed = lzma.decompress((module.MODEL_DIR / module.MODEL_FILE).read_bytes())
    with np.load(io.BytesIO(packed), allow_pickle=False) as model:
        moves, rows = (_plain(model[name]) for name in ("nextmove", "nextmove_row"))
        outputs, classes = model["out_feat"].tolist(), model["classes"].tolist()
        return module.LanguageIdentifier(model["ptc"], model["pc"], classes, moves, outputs, tk_row=rows)


def _plain(numbers: Any) -> Sequence[int]:
    """An array of numpy's as one of Python's own, which gives out single numbers faster."""
    found = array("H" if numbers.itemsize == 2 else "I")
    found.frombytes(numbers.tobytes())
    return found


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(_identifier().labels)
