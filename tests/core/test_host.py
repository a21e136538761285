"""Which processors multiply bf16 numbers, by what Linux says of them."""

from pathlib import Path

import pytest

from core.catalogue import load_catalogue
from core.host import multiplies_bf16

X86 = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu sse2 avx2 {}\nbugs\t\t: bf16\n\nprocessor\t: 1\n"
ARM = "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd sve {}\nCPU implementer\t: 0x41\n"


@pytest.mark.parametrize(
    ("cpuinfo", "can"),
    [
        (X86.format("avx512f avx512bw avx512vl avx512dq avx512_bf16 amx_bf16 amx_tile"), True),
        (X86.format("avx512f avx512bw avx512vl avx512dq avx512_bf16"), True),
        (X86.format("avx512f avx512bw avx512vl avx512dq avx512_vnni"), False),  # libraries emulate it, slower than fp32
        (X86.format("avx_vnni avx_vnni_int8 avx_ne_convert"), False),  # converts, but multiplies in fp32
        (X86.format("fma f16c"), False),
        (ARM.format("i8mm bf16 dgh"), True),
        (ARM.format("asimddp"), False),
        ("processor : 0\ncpu : POWER9\n", False),
        ("", False),
    ],
)
def test_a_processors_flags_decide(cpuinfo: str, can: bool, tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(cpuinfo, encoding="ascii")
    assert multiplies_bf16(path) is can


def test_a_system_that_does_not_tell_gets_fp32(tmp_path: Path) -> None:
    assert not multiplies_bf16(tmp_path / "missing")


def test_the_profile_of_this_machine_knows_it() -> None:
    here = load_catalogue().gpu("cpu")
    assert here.bf16 == multiplies_bf16()
    assert here.dtype == ("bf16" if multiplies_bf16() else "fp32")
    assert load_catalogue().gpu("t4").dtype == "bf16"  # it has none, and emulates it
