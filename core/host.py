"""What this machine's processor can do, as the operating system tells it.

The planner and the worker both ask here, so that a plan and its run cannot disagree.
"""

import functools
import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# Linux's names for instructions that multiply bf16 numbers: of Intel's servers, of these and AMD since Zen 4, of Arm.
BF16_PRODUCTS = {"amx_bf16", "avx512_bf16", "bf16"}


@functools.cache
def multiplies_bf16(cpuinfo: Path = CPUINFO) -> bool:
    """Whether this processor has an instruction for products of bf16 numbers; False where that cannot be read.

    Without one every number is converted on the way, which libraries do slowly if at all: two cores with AVX2 multiply
    matrices at 0.3 GFLOP/s in bf16 and at 150 in fp32. By the processor's word and not by a clock, since a resumed
    run has to compute as it began.
    """
    try:
        return bool(BF16_PRODUCTS & flags(cpuinfo.read_text(encoding="ascii", errors="replace")))
    except OSError:
        return False


def flags(cpuinfo: str) -> set[str]:
    """The instruction sets that Linux's /proc/cpuinfo lists: as flags for Intel and AMD, as Features for Arm."""
    line = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    return set(line[1].split()) if line else set()
