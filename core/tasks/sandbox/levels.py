"""The levels of protection that a child can run under, the best first, each with what it does and does not do."""

from dataclasses import dataclass

from core.errors import InvalidInput


@dataclass(frozen=True)
class Level:
    """How a child is kept from the rest of the machine.

    enclosed  in namespaces of its own, made by bubblewrap: it sees no other process, no network and few files
    locked    the kernel refuses it files (Landlock) and system calls (seccomp)
    protects  sentences for people: what the level holds off
    exposes   sentences for people: what it does not
    """

    name: str
    enclosed: bool
    locked: bool
    protects: tuple[str, ...]
    exposes: tuple[str, ...]


LIMITED = (
    "Time, memory, the size of files and the number of open files and processes are limited.",
    "It sees none of the dashboard's or the worker's environment, so no token that stands there.",
)
REFUSED = (
    "It can read Python's and the system's own folders and the file itself, and no other file.",
    "It can write no file at all, but for a folder of its own where it was given one.",
    "It can open no connection, neither to the network nor to a program on this machine.",
    "It can start no other process, and signal none.",
)
ALWAYS_POSSIBLE = (
    "A file that lies: the scores are its own, and so is what it makes of the prompts and answers it is given.",
    "Processor time and memory within the limits, and what can be told from timing.",
)
KERNEL = "Holes in the Linux kernel."

BUBBLEWRAP = Level(
    "bubblewrap",
    enclosed=True,
    locked=True,
    protects=(*LIMITED, *REFUSED, "It sees no other process and no other file, and has no network interface."),
    exposes=(KERNEL, *ALWAYS_POSSIBLE),
)
LOCKED = Level(
    "landlock",
    enclosed=False,
    locked=True,
    protects=(*LIMITED, *REFUSED),
    exposes=(
        KERNEL,
        "That files exist, how large they are and when they changed; what is in them stays closed.",
        "Which process ids are in use.",
        "Filling the disk through the folder that it was given, where it was given one, until its time is over.",
        *ALWAYS_POSSIBLE,
    ),
)
PLAIN = Level(
    "plain",
    enclosed=False,
    locked=False,
    protects=LIMITED,
    exposes=(
        "Everything that you may do it may do as well: read and write your files, use the network, end your processes "
        "and read what stands in their environment.",
        "A process that it starts can go on when it has been ended.",
        *ALWAYS_POSSIBLE,
    ),
)

LEVELS = (BUBBLEWRAP, LOCKED, PLAIN)


def need_consent(level: Level, allow_plain: bool) -> None:
    """Raises InvalidInput for `PLAIN` without consent to exactly that."""
    if level == PLAIN and not allow_plain:
        raise InvalidInput(
            "sandbox",
            level.name,
            "which keeps nothing on this machine from the file but the environment",
            "install bubblewrap or start on a Linux with Landlock, or agree to run it without protection",
        )
