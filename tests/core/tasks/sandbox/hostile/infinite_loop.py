"""Never comes back."""


def reward(completions, **kwargs):
    while True:
        pass
