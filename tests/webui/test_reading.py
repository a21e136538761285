"""What the pages about completions say, without a browser: what is counted anew, and which prompts are apart."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from samples import add_run, answers, end_run

from core.records.evaluation import EvaluationPrompt
from core.records.status import RunStatus
from core.settings import load_settings
from core.store.rollouts import feedback
from core.store.rollouts.evaluation import record_answers
from core.store.rollouts.load import list_groups
from core.store.rollouts.rescan import review
from core.store.runs import queries
from core.store.search.filter import CompletionFilter
from core.store.search.query import list_completions
from webui.pages import evaluation, find, prompt
from webui.services import Services, open_services


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    opened = open_services(load_settings({"GROUPER_HOME": str(tmp_path)}))
    yield opened
    opened.close()


@pytest.fixture
def run_id(services: Services) -> str:
    run = add_run(services.database, "learned", 3)
    end_run(services.database, run, RunStatus.COMPLETED)
    return run.id


def test_a_question_is_counted_once_until_its_run_changes(services: Services, run_id: str) -> None:
    asked = {"run": run_id, "min_reward": "0.5"}
    before = find.render(services, asked)[2]
    assert find.render(services, asked)[2] == before
    revision = _revision(services, run_id)
    review(services.database, run_id)
    assert _revision(services, run_id) > revision  # what was found may be another number now


def test_flagged_ones_are_counted_as_they_are_now(services: Services, run_id: str) -> None:
    asked = {"run": run_id, "flagged": "1"}
    assert "<b>0 completions</b>" in find.render(services, asked)[2]
    with services.database.writing() as connection:
        (one, *_), _ = list_completions(connection, run_id, CompletionFilter(limit=1))
        feedback.flag(connection, one.id, True)
    assert "<b>1 completion</b>" in find.render(services, asked)[2]


def test_tags_of_one_run_are_not_offered_in_another(services: Services, run_id: str) -> None:
    other = add_run(services.database, "other", 1)
    with services.database.writing() as connection:
        (one, *_), _ = list_completions(connection, other.id, CompletionFilter(limit=1))
        feedback.set_tags(connection, one.id, ["odd"])
        assert feedback.known_tags(connection, run_id) == []
        assert feedback.known_tags(connection, other.id) == feedback.known_tags(connection) == ["odd"]


def test_prompts_that_were_trained_on_are_said_to_be(services: Services, run_id: str) -> None:
    with services.database.writing() as connection:
        record_answers(connection, run_id, answers("Three.", 2))
    assert "trained on none of them" in evaluation.render(services, {"run": run_id})[2]
    with services.database.writing() as connection:
        group = list_groups(connection, run_id, 1)[0]
        known = EvaluationPrompt(2, group.prompt, group.fields, answers("Three.", 2)[0].replies)
        record_answers(connection, run_id, [known])
    _, chart, table, _ = evaluation.render(services, {"run": run_id})
    assert "trained on 1 of these 3 too" in table
    assert table.count("The run was trained on this prompt too") == 1
    assert "Those not trained on" in chart


def test_a_prompt_asked_once_is_compared_with_itself_from_best_to_worst(services: Services, run_id: str) -> None:
    with services.database.reading() as connection:
        group = list_groups(connection, run_id, 1)[0]
    compared = prompt.render(services, {"id": str(group.completions[0].id)})[3]
    best, worst = group.completions[0], group.completions[-1]
    assert f'value="{best.id}" translate="no" selected' in compared
    assert f'value="{worst.id}" translate="no" selected' in compared


def _revision(services: Services, run_id: str) -> int:
    with services.database.reading() as connection:
        return queries.get_run(connection, run_id).revision
