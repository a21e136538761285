"""Where Python that users or models wrote runs: in a child process, never in the dashboard's or the worker's own.

`Box` is one child under a protection level; `SandboxedScorer` asks it for scores, `run_program` runs one program. What
comes out of a child is text of a stranger: its shape is checked, and it is data. The modules that run inside the child
(`child`, `confine`, `lock`, `syscalls`, `frames`, `signatures`, `wording`, `own_code`, `calls`) need the standard
library alone.
"""
