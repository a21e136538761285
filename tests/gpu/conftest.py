"""Everything here needs an NVIDIA GPU; without one each test says so and is skipped."""

from pathlib import Path

import pytest
from engine_support import TEN_MINUTES, grouper

from core.installation import detected_gpu
from core.settings import Settings, load_settings


@pytest.fixture(autouse=True, scope="session")
def gpu() -> str:
    """The profile of this machine's GPU."""
    profile = detected_gpu()
    if profile.kind == "cpu":
        pytest.skip("this machine has no NVIDIA GPU")
    return profile.id


@pytest.fixture(scope="session")
def gpu_home(gpu: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A state folder with the built-in model in it."""
    home = tmp_path_factory.mktemp("gpu")
    prepared = grouper(home, "prepare", timeout=TEN_MINUTES)
    assert prepared.returncode == 0, prepared.stderr[-3000:]
    return load_settings({"GROUPER_HOME": str(home)})


@pytest.fixture(scope="session")
def model(gpu_home: Settings) -> Path:
    return gpu_home.models / "smollm2-135m"
