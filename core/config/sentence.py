"""What pydantic says of a value, as one sentence."""

from pydantic import BaseModel, ValidationError

from core.errors import InvalidInput


def sentence(error: ValidationError, model: type[BaseModel], whole: str) -> InvalidInput:
    """The first of the findings with field, value and remedy.

    model  whose fields' descriptions and names the remedy takes
    whole  what the value is called where no field is to blame
    """
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or whole
    name = str(first["loc"][0]) if first["loc"] else ""
    described = model.model_fields.get(name)
    hint = (described.description or "") if described else ""
    if first["type"] == "extra_forbidden":
        known = ", ".join(sorted(model.model_fields))
        return InvalidInput(field, first["input"], "a field that does not exist", f"use one of {known}")
    if first["type"] == "missing":
        return InvalidInput(field, "", "which is missing", f"give it a value: {hint}" if hint else "give it a value")
    problem = "which is refused because the " + first["msg"][0].lower() + first["msg"][1:]
    return InvalidInput(field, first["input"], problem, f"correct it ({hint.rstrip('.')})" if hint else "correct it")
