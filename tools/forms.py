"""Writes the form of today's settings down in tests/data/stored/forms.json: `python tools/forms.py`.

A test compares RunConfig with it, so that no field changes without a new form. A form that is there is never rewritten.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from core.config import RunConfig  # noqa: E402
from core.config.upgrade import SCHEMA_VERSION  # noqa: E402

FORMS = ROOT / "tests" / "data" / "stored" / "forms.json"


def described() -> dict[str, dict[str, object]]:
    """Field -> what its JSON schema says, but for its description, which may change at any time."""
    properties = RunConfig.model_json_schema()["properties"]
    return {name: {key: field[key] for key in field if key != "description"} for name, field in properties.items()}


def main() -> int:
    forms = json.loads(FORMS.read_text(encoding="utf-8"))
    if str(SCHEMA_VERSION) in forms:
        print(f"Form {SCHEMA_VERSION} is written down already: raise SCHEMA_VERSION first.", file=sys.stderr)
        return 1
    forms[str(SCHEMA_VERSION)] = described()
    FORMS.write_text(json.dumps(forms, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
