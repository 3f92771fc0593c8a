"""Certificates that are signed by themselves, made with openssl for one test."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from engines import missing

if TYPE_CHECKING:
    from pathlib import Path


def make_certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    """The files of a certificate for these names (`DNS:...`, `IP:...`), and of its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        missing("no openssl: apt-get install openssl")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=ecart tests", "-addext", f"subjectAltName={','.join(names)}",
            "-keyout", key, "-out", certificate,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key
