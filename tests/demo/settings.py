"""Settings that hold libraries below this CPU's instructions, as another CPU would."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np

NUMPY: list[str] = np.show_config("dicts")["SIMD Extensions"].get("found", [])
OPENCV = "AVX512_SKX,AVX2,AVX,FP16,SSE4_2,SSE4_1"
X86 = platform.machine() in ("x86_64", "AMD64")
SETTINGS: dict[str, dict[str, str]] = {
    "as it is": {},
    "one thread": {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    "NumPy without AVX-512": {
        "NPY_DISABLE_CPU_FEATURES": " ".join(f for f in NUMPY if "512" in f or f == "X86_V4")
    },
    "NumPy without AVX2": {"NPY_DISABLE_CPU_FEATURES": " ".join(NUMPY)},
    "OpenCV without AVX, IPP": {"OPENCV_CPU_DISABLE": OPENCV, "OPENCV_IPP": "disabled"},
    "libjpeg-turbo without SIMD": {"JSIMD_FORCENONE": "1"},
    "Arrow without SIMD": {"ARROW_USER_SIMD_LEVEL": "NONE"},
    "OpenBLAS for Haswell": {"OPENBLAS_CORETYPE": "Haswell"},
}


def cpu() -> str:
    """Name of this machine's CPU."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()} ({platform.machine()})"
