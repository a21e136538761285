"""Completions graded by another model, which answers behind an OpenAI-compatible address."""

import ipaddress
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator, model_validator

from core.errors import InvalidInput
from core.settings import JUDGE_KEY, judge_key
from core.tasks.rewards.batch import BatchScorer, Outside
from core.tasks.rewards.judge_question import GIVEN, Asked
from core.tasks.sandbox.levels import Level
from core.tasks.template import Template, parse_template

RUBRIC = """\
A model was asked:
{prompt}

Its answer:
{completion}

Grade how correct and helpful the answer is."""


class Judge(Outside):
    """A judge's score, from 0.0 for the lowest of its scale to 1.0 for the highest.

    A judge may err, and a completion may talk it into a better score. The completion is shown between marks that it
    cannot know, and said to be data; that makes it harder, not impossible.
    """

    about = "What another model thinks of the answer, by a rubric."
    address: str = Field(max_length=500, description="Where it answers, such as https://api.openai.com/v1.")
    model: str = Field(min_length=1, max_length=200, description="Its name at that address.")
    rubric: str = Field(
        RUBRIC,
        max_length=50_000,
        description="What it is asked: a text over {prompt}, {completion} and the row's columns.",
    )
    scale: tuple[float, float] = Field((0.0, 10.0), description="The lowest and the highest number it may give.")
    key_variable: str = Field(
        "",
        pattern=rf"^({JUDGE_KEY}(_[A-Z0-9_]{{1,40}})?)?$",
        description=f"Name of the environment variable with its key, {JUDGE_KEY} or {JUDGE_KEY}_NAME; empty: no key.",
    )
    temperature: float = Field(0.0, ge=0.0, le=2.0, description="How freely it answers.")
    max_tokens: int = Field(512, ge=16, le=32_768, description="Tokens that its answer may have.")
    concurrency: int = Field(32, ge=1, le=256, description="Requests at a time.")
    requests_per_minute: int = Field(0, ge=0, description="Most requests in a minute; 0: as many as it takes.")
    tokens_per_minute: int = Field(0, ge=0, description="Most tokens in a minute, read and written; 0: any number.")
    timeout_seconds: float = Field(30.0, gt=0.0, le=600.0, description="How long one answer may take.")
    price_per_million_input: float = Field(0.0, ge=0.0, description="What a million tokens cost that it reads.")
    price_per_million_output: float = Field(0.0, ge=0.0, description="What a million tokens cost that it writes.")
    plain_http: bool = Field(False, description="Let prompts and the key travel unencrypted to another machine.")

    @field_validator("address")
    @classmethod
    def _address_is_one(cls, address: str) -> str:
        _split(address)
        return address

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        lowest, highest = self.scale
        if lowest >= highest:
            raise InvalidInput("scale", [lowest, highest], "whose first is not the lower one", "write it as [0, 10]")
        if "completion" not in self.template.columns:
            raise InvalidInput("rubric", self.rubric, "which does not show the answer", "put {completion} into it")
        if _split(self.address).scheme == "http" and not self.plain_http and not self.on_this_machine:
            raise InvalidInput(
                "address", self.address, "which sends prompts and key unencrypted", "write https, or set plain_http"
            )
        return self

    @property
    def template(self) -> Template:
        return parse_template(self.rubric, "rubric")

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in self.template.columns if name not in GIVEN)

    @property
    def on_this_machine(self) -> bool:
        host = _split(self.address).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def scorer(self, level: Level, cache: Path, allow_plain: bool = False) -> BatchScorer:
        """Raises InvalidInput where the variable with the key is not set."""
        from core.tasks.rewards.judge_client import Manners
        from core.tasks.rewards.judge_scorer import JudgeScorer

        return JudgeScorer(
            Asked(self.address, self.model, self.template, self.scale, self.temperature, self.max_tokens),
            judge_key(self.key_variable) if self.key_variable else "",
            Manners(
                self.concurrency,
                self.requests_per_minute,
                self.tokens_per_minute,
                self.timeout_seconds,
                self.on_this_machine,
            ),
            cache,
            (self.price_per_million_input, self.price_per_million_output),
        )


def _split(address: str) -> SplitResult:
    """Raises InvalidInput for what is no address, or has more in it than one; never with what may be a password."""
    remedy = "write it as https://HOST/v1"
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput("address", "", "which cannot be read", remedy) from None
    if "@" in parts.netloc:
        raise InvalidInput("address", host, "before which stands a name or a password", "put it into key_variable")
    if parts.scheme not in ("http", "https") or not host or not address.isprintable() or " " in address:
        raise InvalidInput("address", address, "which is no address of a server", remedy)
    if parts.query or parts.fragment:
        raise InvalidInput("address", parts.hostname, "behind which stands more than a path", remedy)
    return parts
