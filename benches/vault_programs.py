"""The programs that back up: how each makes a repository, saves into it and restores from it, with what it does by default."""
import os
import pathlib
import shutil

PASSWORD = "bench"


class Program:
    """One program with a home, and so a cache, of its own. `repository` is where its repository is, in its own words, and `folder`
    the folder that holds it, whoever writes there."""

    # Whether it speaks restic's protocol to a server.
    has_protocol = True

    def __init__(self, binary, home, certificate):
        self.binary, self.home, self.certificate = binary, home, certificate
        self.repository = self.folder = None

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8"}

    def make(self):
        return self.command("init")

    def save(self, source):
        return self.command("backup", source)

    def restore(self, source, target):
        """The newest snapshot, which is of `source`."""
        return self.command("restore", "latest", "--target", target)

    def restored(self, source, target):
        """Where `source` is found again."""
        return target / source.relative_to("/")

    def sizes(self):
        """What the repository holds now: file, and what tells it from one written later, its size last."""
        found = {}
        for path, _, names in os.walk(self.folder):
            for name in names:
                status = os.lstat(os.path.join(path, name))
                found[os.path.join(path, name)] = (status.st_ino, status.st_mtime_ns, status.st_size)
        return found

    def clear(self):
        shutil.rmtree(self.home, ignore_errors=True)


class Strongroom(Program):
    def command(self, verb, *arguments):
        trust = ["--ca-file", self.certificate] if str(self.repository).startswith("rest:") else []
        return [self.binary, "vault", verb, *arguments, "-r", self.repository, *trust]

    def environment(self):
        return super().environment() | {"STRONGROOM_PASSWORD": PASSWORD}


class Restic(Program):
    def command(self, verb, *arguments):
        trust = ["--cacert", self.certificate] if str(self.repository).startswith("rest:") else []
        return [self.binary, "-r", self.repository, "--quiet", *trust, verb, *arguments]

    def environment(self):
        return super().environment() | {"RESTIC_PASSWORD": PASSWORD}


class Rustic(Program):
    def command(self, verb, *arguments):
        return [self.binary, "-r", self.repository, "--no-progress", "--log-level", "warn", verb, *arguments]

    def environment(self):
        # An option of its way to a server, which no argument takes.
        trust = {"RUSTIC_REPO_OPT_CACERT": str(self.certificate)} if str(self.repository).startswith("rest:") else {}
        return super().environment() | {"RUSTIC_PASSWORD": PASSWORD} | trust

    def restore(self, source, target):
        """What it names by a path in the snapshot it puts straight into the target."""
        return self.command("restore", f"latest:{source}", target)

    def restored(self, source, target):
        return target


class Borg(Program):
    has_protocol = False
    # The archives that it has made, and so the name of the newest.
    saved = 0

    def environment(self):
        return super().environment() | {"BORG_PASSPHRASE": PASSWORD, "BORG_BASE_DIR": str(self.home)}

    def make(self):
        return [self.binary, "init", "--encryption", "repokey", self.repository]

    def save(self, source):
        self.saved += 1
        return [self.binary, "create", f"{self.repository}::{self.saved}", source]

    def restore(self, source, target):
        return ["env", "-C", target, self.binary, "extract", f"{self.repository}::{self.saved}"]


def home_of(bench, name):
    home = pathlib.Path(bench.folder / f"home-{name}")
    home.mkdir()
    return home


def programs(bench):
    """A maker of each program by the column that it fills."""
    made = bench.tools
    makers = {"ours": (Strongroom, made.ours), "restic": (Restic, made.restic), "rustic": (Rustic, made.rustic), "borg": (Borg, made.borg)}
    for number, binary in enumerate(made.others, 1):
        makers[f"other {number}" if len(made.others) > 1 else "other"] = (Strongroom, binary)
    return makers
