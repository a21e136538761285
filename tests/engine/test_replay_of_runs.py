"""Rewards replayed on a real run against a real run that was trained with them."""

import json

import pytest
from engine_support import Demo, grouper

from core.insights.replay import make_reweighting, replay_step
from core.store import open_database
from core.store.rollouts.evaluation import list_questions
from core.store.rollouts.load import list_groups
from core.store.runs import queries
from core.tasks.registry import get_recipe

pytestmark = [pytest.mark.long, pytest.mark.engine, pytest.mark.timeout(1800)]
OTHER = {"correctness": 0.3, "format": 1.5}


def test_replayed_weights_are_what_training_with_them_gave(demo: Demo) -> None:
    """Both runs have the same seed, so that their first steps sampled the same."""
    arguments = ["launch", "--recipe", "addition", "--model", "smollm2-135m", "--gpu", "cpu", "--steps", "1"]
    chosen = ["--set", f"reward_weights={json.dumps(OTHER)}", "--set", "evaluate_every=0"]
    result = grouper(demo.settings.home, *arguments, *chosen, "--wait", "--json")
    assert result.returncode == 0, result.stderr[-3000:]
    database = open_database(demo.settings.database_url)
    with database.reading() as connection:
        config = queries.get_run(connection, demo.document["run"]).config
        groups, expected = (
            sorted(list_groups(connection, run_id, 1, with_tokens=True), key=lambda group: group.index)
            for run_id in (demo.document["run"], json.loads(result.stdout)["run"])
        )
    database.close()
    turns = replay_step(1, groups, make_reweighting(get_recipe(config.recipe), config, OTHER, {}), config).turns
    # The same answer may be right in one group and wrong in another.
    replayed = {(turn.completion.group, turn.completion.token_ids): turn for turn in turns}
    trained = [one for group in expected for one in group.completions]
    assert sorted(turn.completion.token_ids for turn in turns) == sorted(one.token_ids for one in trained)
    for one in trained:
        assert replayed[one.group, one.token_ids].reward == pytest.approx(one.reward, abs=1e-6)
    assert len({one.reward for one in trained}) > 1
    for group in range(len(groups)):
        then = sorted(turn.advantage for turn in turns if turn.completion.group == group)
        stored = sorted(one.advantage for one in trained if one.group == group)
        assert then == pytest.approx(stored, abs=1e-3)


def test_the_trainer_says_what_it_made_of_each_token(demo: Demo) -> None:
    database = open_database(demo.settings.database_url)
    with database.reading() as connection:
        groups = list_groups(connection, demo.document["run"], 1, with_tokens=True)
    database.close()
    scored = [one for group in groups for one in group.completions if one.trainer_logprobs]
    assert scored
    for one in scored:
        assert len(one.trainer_logprobs) == len(one.entropies) == one.length
        differences = [abs(a - b) for a, b in zip(one.trainer_logprobs, one.logprobs, strict=True)]
        assert sum(differences) / len(differences) < 0.3
    unknown = [group for group in groups if not any(one.trainer_logprobs for one in group.completions)]
    assert all(one.flat for group in unknown for one in group.completions)


def test_fixed_prompts_were_answered_along_the_way(demo: Demo) -> None:
    database = open_database(demo.settings.database_url)
    with database.reading() as connection:
        questions = list_questions(connection, demo.document["run"])
    database.close()
    assert len({one.prompt for one in questions}) == 8
    last = demo.document["steps"]
    for one in questions:
        assert [reply.step for reply in one.replies] == [*range(0, last, 10), last]
    before, after = (sum(one.replies[place].reward or 0.0 for one in questions) / 8 for place in (0, -1))
    assert after > before
