"""The facts that ship: GPUs, base models, known failures. One row a fact, each with where it is from; no code."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
