"""A package that is not there is named together with what to install."""

import pytest

from core.errors import InvalidInput
from core.tasks.rewards.packages import imported, refuse_missing


def test_a_missing_package_is_one_sentence_with_the_extra() -> None:
    with pytest.raises(InvalidInput) as caught:
        imported("no_such_package.inner", "train")
    assert str(caught.value) == (
        "`reward` is 'no_such_package.inner', which needs the package no-such-package, and it is not installed: "
        "install Grouper's extra train: pip install 'grouper[train]'."
    )


def test_packages_are_looked_for_without_importing_them() -> None:
    refuse_missing({"math_verify": "train", "json": "train"})
    with pytest.raises(InvalidInput, match="extra gym"):
        refuse_missing({"json": "train", "no_such_package": "gym"})
