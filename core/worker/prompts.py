"""`python -m core.worker.prompts`: prompts as a model gets them, token by token.

Reads {"model": NAME, "shown": [messages, ...], "counted": [messages, ...]} from stdin and prints one JSON line:
{"shown": [[[text, is special], ...], ...], "lengths": [tokens of each counted one]}, or {"error": [message, remedy]}.
"""

import json
import os
import sys
from typing import Any

from core.catalogue import load_catalogue
from core.models.locate import locate
from core.settings import load_settings
from core.tasks.task import Example
from core.worker.failures import explain


def main() -> None:
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    try:
        answer = _tokens(json.load(sys.stdin))
    except Exception as error:
        failure = explain(error, "find model")
        answer = {"error": [failure.message, failure.remedy]}
    lines.write(json.dumps(answer) + "\n")


def _tokens(asked: dict[str, Any]) -> dict[str, Any]:
    from core.worker.loading.weights import fetch_folder, load_tokenizer
    from core.worker.rollouts.examples import prompt_token_ids

    tokenizer = load_tokenizer(fetch_folder(locate(asked["model"], load_catalogue(), load_settings().models)))
    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    shown = []
    for messages in asked["shown"]:
        ids = prompt_token_ids(Example(tuple(messages), {}), tokenizer)
        shown.append([[tokenizer.decode([each]), each in special] for each in ids])
    lengths = [len(prompt_token_ids(Example(tuple(messages), {}), tokenizer)) for messages in asked["counted"]]
    return {"shown": shown, "lengths": lengths}


if __name__ == "__main__":
    main()
