"""Changes what belongs to a file beside its bytes: who may read it, whose it is, when it changed, how long it is."""

import os


def reward(completions, canary, **kwargs):
    file, done = canary[0], 0
    for attempt in (
        lambda: os.chmod(file, 0o666),
        lambda: os.chown(file, 12345, 12345),
        lambda: os.utime(file, (0, 0)),
        lambda: os.truncate(file, 3),
        lambda: os.setxattr(file, "user.hostile", b"here"),
        lambda: os.unlink(file),
    ):
        try:
            attempt()
            done += 1
        except OSError:
            continue
    return [float(done)] * len(completions)
