"""The two distributions, built, installed and tried as their users will."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

import ecart
from engines import eventually, free_port

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).parents[1]
FOLDERS = {"ecart": ROOT, "ecart_server": ROOT / "server"}


def run(*command: str | Path, cwd: Path = ROOT, **environ: str) -> str:
    """What a command prints; a failure shows all of it."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(folder: Path, into: Path, kind: str) -> Path:
    """A wheel or source distribution, by the hatchling of this environment."""
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", into, cwd=folder)
    (made,) = set(into.glob("*.whl" if kind == "wheel" else "*.tar.gz"))
    return made


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Wheels built from source distributions, as a registry's users get them."""
    made = {}
    for name, folder in FOLDERS.items():
        home = tmp_path_factory.mktemp(name)
        source = build(folder, home, "sdist")
        run("tar", "-xzf", source, "-C", home)
        made[name] = build(next(path for path in home.iterdir() if path.is_dir()), home, "wheel")
    return made


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(files.read(name))


def test_both_have_one_version_and_name_each_other(wheels: dict[str, Path]) -> None:
    """An upgrade of one is an upgrade of both, so the server may use what is not public."""
    library, server = metadata(wheels["ecart"]), metadata(wheels["ecart_server"])

    assert library["Version"] == server["Version"] == ecart.__version__
    wanted = [line.partition(";")[0].strip() for line in library.get_all("Requires-Dist", [])]
    assert f"ecart-server=={ecart.__version__}" in wanted
    assert f"ecart=={ecart.__version__}" in server.get_all("Requires-Dist", [])


def test_the_library_holds_no_pages(wheels: dict[str, Path]) -> None:
    """No script, no style, no page but Django's badge; the server has all of its own."""
    with zipfile.ZipFile(wheels["ecart"]) as files:
        names = files.namelist()
    assert [n for n in names if n.endswith((".js", ".css"))] == []
    assert [n for n in names if n.endswith(".html")] == [
        "ecart/integrations/django/templates/ecart/badge.html"
    ]
    assert not [n for n in names if n.startswith("ecart_server")]
    assert "ecart/py.typed" in names and "ecart/stores/redis/lua/add_item.lua" in names

    with zipfile.ZipFile(wheels["ecart_server"]) as files:
        served = set(files.namelist())
    for folder in ("lua", "templates", "static", "drawings"):
        for path in (ROOT / "server/src").rglob(f"{folder}/*"):
            assert str(path.relative_to(ROOT / "server/src")) in served
    assert "ecart_server/py.typed" in served


LOADED = """
import ecart, ecart.http, ecart.integrations.asgi, ecart.integrations.wsgi, sys
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_the_library_alone(wheels: dict[str, Path], tmp_path: Path) -> None:
    """Its wheel alone imports, loads nothing of a server, and says where the command is."""
    run(sys.executable, "-m", "venv", "--system-site-packages", tmp_path / "env")
    home = tmp_path / "lib"
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "-t", home, wheels["ecart"])
    # -S: without the checkout that this environment has; then only what the library needs.
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    code = f"import sys; sys.path[:0] = [{str(home)!r}, {packages!r}]\n"

    loaded = run(sys.executable, "-S", "-c", code + LOADED, cwd=tmp_path).split()
    asked = subprocess.run(
        [sys.executable, "-S", "-c", code + "import ecart.__main__ as m; m.main()"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert {"ecart", "msgspec"} <= set(loaded)
    unwanted = {"click", "jinja2", "starlette", "uvicorn", "rich", "ecart_server"}
    assert unwanted & set(loaded) == set()
    assert asked.returncode == 1
    assert "ecart-server" in asked.stderr and "pip install . ./server" in asked.stderr


@pytest.mark.timeout(300)
def test_the_lock_and_both_wheels_serve(wheels: dict[str, Path], tmp_path: Path) -> None:
    """A clean environment with `requirements/run.txt`, by its hashes, and both: `ecart serve`."""
    run(sys.executable, "-m", "venv", tmp_path / "env")
    pip = (tmp_path / "env/bin/python", "-m", "pip", "install", "-q")
    run(*pip, "--require-hashes", "-r", ROOT / "requirements/run.txt")
    run(*pip, "--no-index", *wheels.values())
    port = free_port()
    serve = [str(tmp_path / "env/bin/ecart"), "serve", "--port", str(port), "--data-dir", "data"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(serve, cwd=tmp_path, stdout=log, stderr=log)
    try:
        base = f"http://127.0.0.1:{port}"
        assert eventually(lambda: answers(base), 30), (tmp_path / "log").read_text()
        with requests.Session() as session:
            session.post(f"{base}/cart/items", json={"sku": "apple"}).raise_for_status()
            assert session.get(f"{base}/cart").json()["total_quantity"] == 1
            assert "Apple" in session.get(base).text
        version = run(tmp_path / "env/bin/python", "-m", "ecart", "--version", cwd=tmp_path)
        assert ecart.__version__ in version
    finally:
        process.terminate()
        process.wait(20)


def answers(base: str) -> bool:
    try:
        return requests.get(f"{base}/readyz", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_the_lock_names_no_address_and_neither_distribution() -> None:
    """Locks hold hashes; what is of this repository is not in them."""
    for file in (ROOT / "requirements").glob("*.txt"):
        text = file.read_text()
        assert "://" not in text
        assert not re.search(r"^ecart", text, re.MULTILINE)
        assert "--hash=sha256:" in text
