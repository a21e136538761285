"""The knowledge file, and what a failed run says because of it."""

import errno

import pytest

from core.errors import InvalidInput, RunError, StoreError
from core.insights.known_failures import known_failure, load_known_failures, recognise
from core.worker.failures import explain

NO_BLOCKS = "No available memory for the cache blocks. Try increasing `gpu_memory_utilization`"


def test_every_trouble_has_a_title_a_cause_and_a_remedy() -> None:
    found = load_known_failures()
    assert len({known.kind for known in found}) == len(found) >= 20
    for known in found:
        assert known.title[0].isupper() or known.title.startswith("vLLM")
        assert known.cause.endswith(".")
        assert known.general.endswith(".")
        assert not known.title.endswith(".")
    assert [known.kind for known in found if known.classic] == [
        "out-of-memory-sampling", "slow-generation", "engine-missing", "adapter-not-live",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "phase", "kind"),
    [
        (NO_BLOCKS, "start engine", "kv-cache-too-small"),
        ("Available memory on node 0 (19.57/23.54 GiB) on kv cache allocation is less than requested memory for kv",
         "start engine", "kv-cache-too-large"),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", "generate", "out-of-memory-sampling"),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", "update", "out-of-memory"),
        ("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: out of memory", "update",
         "out-of-memory"),
        ("ModuleNotFoundError: No module named 'vllm'", "start engine", "engine-missing"),
        ("RuntimeError: operator torchvision::nms does not exist", "", "stack-mismatch"),
        ("Free memory on device cuda:0 (3.1/79.1 GiB) on startup is less than desired GPU memory utilization (0.5)",
         "start engine", "device-busy"),
        ("SafetensorError: Error while deserializing header: incomplete metadata", "", "model-corrupt"),
        ("OSError: [Errno 28] No space left on device", "record", "disk-full"),
        ("probability tensor contains either `inf`, `nan` or element < 0", "generate", "diverged"),
    ],
)  # fmt: skip
def test_errors_are_recognised_by_their_words_and_phase(text: str, phase: str, kind: str) -> None:
    found = recognise(text, phase)
    assert found is not None
    assert found.kind == kind


def test_what_is_not_known_is_not_guessed() -> None:
    assert recognise("KeyError: 'answer'") is None
    failure = explain(KeyError("answer"))
    assert failure.kind == "unknown"
    assert "KeyError" in failure.message
    assert "not one that is known" in failure.remedy


def test_the_cause_inside_a_wrapper_is_named() -> None:
    def start() -> None:
        try:
            raise ValueError(NO_BLOCKS)
        except ValueError as error:
            raise RunError("engine-start", "The vLLM engine did not start.", "See the details.") from error

    with pytest.raises(RunError) as caught:
        start()
    failure = explain(caught.value, "start engine")
    assert failure.kind == "kv-cache-too-small"
    assert "No available memory" in failure.message
    assert "gpu_memory_utilization" in failure.remedy
    assert "Traceback" in failure.details
    plain = explain(RunError("engine-start", "The vLLM engine did not start.", "See the details."))
    assert plain.kind == "engine-start"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk-full"),
        (OSError(errno.EFBIG, "File too large"), "disk-full"),
        (MemoryError(), "out-of-memory"),
        (RunError("adapter-not-live", "It does not follow.", "Report it."), "adapter-not-live"),
        (InvalidInput("rank", 24, "which is odd", "choose 16"), "invalid-input"),
        (StoreError("The database x is locked by another process."), "database-locked"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_every_kind_of_end_has_a_kind(error: BaseException, kind: str) -> None:
    failure = explain(error)
    assert failure.kind == kind
    assert failure.message


def test_a_measured_remedy_holds_the_figures() -> None:
    advice = known_failure("kv-cache-too-small").advise(knob="gpu_memory_utilization", value=0.58)
    assert advice == "Raise gpu_memory_utilization to 0.58."
    assert known_failure("kv-cache-too-small").advise() == known_failure("kv-cache-too-small").general


def test_a_full_disk_is_not_taken_for_a_damaged_file() -> None:
    text = "SafetensorError: Error while serializing: I/O error: No space left on device (os error 28)"
    found = recognise(text, "find model")
    assert found is not None
    assert found.kind == "disk-full"
