"""JSON that has the wanted shape."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from core.errors import InvalidInput
from core.tasks.rewards.reward import Tagged

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


class JsonSchema(Tagged):
    """1 for JSON that a schema allows.

    References reach the schema itself and the drafts of JSON Schema; nothing is fetched.
    """

    about = "1 when the answer is JSON that the schema allows."
    source = "JSON Schema (json-schema.org), checked by jsonschema"
    shape: dict[str, Any] = Field(default_factory=dict, description="The JSON schema.")
    column: str = Field("", max_length=200, description="Column with each row's own JSON schema instead.")

    @model_validator(mode="after")
    def _one_schema(self) -> Self:
        if bool(self.shape) == bool(self.column):
            problem = "beside column" if self.column else "and so is column"
            raise InvalidInput("shape", self.shape, problem, "give one of the two: a schema, or a column of schemas")
        if self.shape:
            _validator(json.dumps(self.shape))
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,) if self.column else ()

    def score(self, text: str, fields: Mapping[str, Any]) -> float:
        """Raises InvalidInput for a row's schema that is none, or that refers to something elsewhere."""
        from referencing.exceptions import Unresolvable

        given = self.given(text)
        if given is None:
            return 0.0
        schema = fields[self.column] if self.column else self.shape
        validator = _validator(schema if isinstance(schema, str) else json.dumps(schema))
        try:
            return float(validator.is_valid(json.loads(given, parse_constant=_refuse_constant)))
        except (ValueError, RecursionError):
            return 0.0
        except Unresolvable as error:
            raise _wrong(validator.schema, f"which refers to something elsewhere ({error.ref})") from None


@lru_cache(maxsize=256)
def _validator(schema: str) -> "Validator":
    from jsonschema import Draft202012Validator  # takes longer than all else that the library loads
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from jsonschema_specifications import REGISTRY

    try:
        found = json.loads(schema)
        kind = validator_for(found, default=Draft202012Validator)
        kind.check_schema(found)
    except SchemaError as error:
        raise _wrong(schema, f"which is no JSON schema ({error.message[:200]})") from None
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise _wrong(schema, f"which is no JSON schema ({type(error).__name__})") from None
    return kind(found, registry=REGISTRY)


def _wrong(schema: Any, problem: str) -> InvalidInput:
    return InvalidInput("shape", schema, problem, "mend the schema, and put all of it into one")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
