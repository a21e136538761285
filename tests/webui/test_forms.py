"""The launch form and RunConfig say the same thing."""

import pytest

from core.config import RunConfig, make_config
from core.errors import InvalidInput
from webui import forms

CONFIG = make_config({"model": "smollm2-135m", "recipe": "addition", "reward_weights": {"format": 0.5}})


def test_every_field_has_exactly_one_place() -> None:
    assert sorted(forms.field_order()) == sorted(RunConfig.model_fields)


def test_every_control_carries_the_fields_own_description() -> None:
    for name in RunConfig.model_fields:
        field = forms.form_field(name)
        assert field.hint == RunConfig.model_fields[name].description
        assert forms.control(name).label.key == field.label
        assert forms.control(name).info.key == field.hint


def test_a_config_survives_the_form() -> None:
    assert make_config(forms.parse(forms.shown(CONFIG))) == CONFIG


def test_labels_read_as_sentences() -> None:
    assert forms.label("gpu_memory_utilization") == "GPU memory utilization"
    assert forms.label("lora_alpha") == "LoRA alpha"
    assert forms.label("group_size") == "Group size"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("steps", None, "`steps` is '', which is empty"),
        ("rank", "sixteen", "`rank` is 'sixteen', which is not a whole number"),
        ("reward_weights", "format", "`reward_weights` is 'format', which is not NAME=NUMBER"),
        ("reward_weights", "format=much", "`reward_weights` is 'format=much'"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(name: str, value: object, sentence: str) -> None:
    with pytest.raises(InvalidInput, match="^" + sentence):
        forms.parse({name: value})


def test_an_optional_number_may_stay_empty() -> None:
    assert forms.parse({"max_lora_rank": None}) == {"max_lora_rank": None}


def test_edits_outlive_another_model_but_not_the_choice_itself() -> None:
    starting = forms.shown(CONFIG)
    values = {**starting, "model": "other", "steps": 200}
    assert forms.edits(values, starting) == {"steps": 200}


def test_reward_weights_do_not_follow_to_another_recipe() -> None:
    starting = forms.shown(CONFIG)
    values = {**starting, "recipe": "gsm8k", "reward_weights": "format=2"}
    assert forms.edits(values, starting) == {}
