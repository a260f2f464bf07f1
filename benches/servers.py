"""The servers that are measured: each started in a fresh folder, told how to find it, ended by its id."""
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import tools
from measure import Watch

USER, PASSWORD = "bench", "Mj313x2D1OyrTSpyAbCdEf"
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Bench:
    """The folder of one run and all servers in it. Leaving it ends them and takes the folder away."""

    def __init__(self, made, quick):
        self.tools, self.quick = made, quick
        self.running = []

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=tools.OUTPUT))
        spread(self.folder)
        try:
            self.certificate = self.make_certificate()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for server in list(self.running):
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def make_certificate(self):
        """The pair that a strongroom makes for itself serves all."""
        server = Ours(self, "pair", is_tls=True, pair=None).start()
        server.stop()
        certificate, key = self.folder / "cert.pem", self.folder / "key.pem"
        shutil.copy2(server.data / "tls/cert.pem", certificate)
        shutil.copy2(server.data / "tls/key.pem", key)
        server.clear()
        return certificate, key

    def contestants(self, is_tls, *names):
        """Started servers by the column that they fill."""
        makers = {
            "ours": lambda: Ours(self, "ours", is_tls),
            "nginx": lambda: Nginx(self, "nginx", is_tls),
            "nginx + sync": lambda: Nginx(self, "nginx + sync", is_tls, syncs=True),
            "rclone": lambda: Rclone(self, "rclone", is_tls),
            "dufs": lambda: Dufs(self, "dufs", is_tls),
        }
        started = {name: makers[name]().start() for name in names}
        for number, binary in enumerate(self.tools.others, 1):
            name = f"other {number}" if len(self.tools.others) > 1 else "other"
            started[name] = Ours(self, name, is_tls, binary=binary).start()
        return started


class Server(Watch):
    """One server. Its files lie in `folder`; `syncs` says that the client syncs what it has put."""

    # nginx hands it on to its workers.
    last_signal = signal.SIGTERM

    def __init__(self, bench, name, is_tls, syncs=False):
        self.bench, self.name, self.is_tls, self.syncs = bench, name, is_tls, syncs
        self.home = bench.folder / re.sub(r"\W+", "-", f"{name}-{'tls' if is_tls else 'plain'}")
        self.folder = self.home / "files"
        self.process = None
        self.user = f"{USER}:{PASSWORD}"

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log = open(self.home / "log", "ab")
        self.process = subprocess.Popen([str(word) for word in self.command()], stdout=self.stdout(), stderr=self.log, cwd=self.home,
                                        stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "HOME": str(self.home)},
                                        start_new_session=True, preexec_fn=die_with_parent(self.last_signal))
        self.bench.running.append(self)
        self.wait_until_it_listens()
        return self

    def stdout(self):
        return self.log

    def wait_until_it_listens(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"{self.name} does not serve: {(self.home / 'log').read_text(errors='replace')[-2000:]}")

    def stop(self):
        if self in self.bench.running:
            self.bench.running.remove(self)
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(90)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def clear(self):
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def url(self):
        return f"{'https' if self.is_tls else 'http'}://localhost:{self.port}"

    def curl(self, *arguments):
        trust = ["--cacert", self.bench.certificate[0]] if self.is_tls else []
        command = ["curl", "-sSf", "--ipv4", "--noproxy", "*", "-u", self.user, *trust, *arguments]
        return [str(word) for word in command]

    def forget(self, name):
        """Gives the space of a file back, outside what is measured."""
        (self.folder / name).unlink()


class Ours(Server):
    # It may be paused, and would not hear anything else.
    last_signal = signal.SIGKILL

    def __init__(self, bench, name, is_tls, binary=None, pair="shared", settings=()):
        super().__init__(bench, name, is_tls)
        self.binary = binary or bench.tools.ours
        self.has_pair = pair is not None
        self.settings = settings
        self.data = self.home / "data"
        self.folder = self.data / "blobs"
        self.account = None

    def command(self):
        config = self.home / "config.toml"
        config.write_text("")
        command = [self.binary, "serve", "--config", config, "--data", self.data, "--listen", f"127.0.0.1:{self.port}", *self.settings]
        if not self.is_tls:
            return command + ["--plain-http"]
        if not self.has_pair:
            return command
        return command + ["--tls-certificate", self.bench.certificate[0], "--tls-key", self.bench.certificate[1]]

    def start(self):
        self.home.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(exist_ok=True, mode=0o700)
        return super().start()

    def stdout(self):
        self.printed = open(self.home / "printed", "wb")
        return self.printed

    def wait_until_it_listens(self):
        super().wait_until_it_listens()
        end = time.monotonic() + 10
        while self.account is None and time.monotonic() < end:
            text = (self.home / "printed").read_text()
            if found := re.search(r"https://(\w+):(\w+)@", text):
                self.account, self.user = found[1], f"{found[1]}:{found[2]}"
            time.sleep(0.01)
        if self.account is None:
            raise RuntimeError(f"{self.name} printed no access URL")

    def forget(self, name):
        """The bytes go behind its back; nobody asks for them again."""
        for blob in (self.folder / self.account).glob(f"{name}@*"):
            blob.unlink()


class Nginx(Server):
    def command(self):
        (self.home / "temporary").mkdir(exist_ok=True)
        (self.home / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        certificate, key = self.bench.certificate
        tls = f"ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;" if self.is_tls else ""
        paths = "".join(f"{kind}_temp_path {self.home}/temporary/{kind};"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.home / "nginx.conf").write_text(f"""
            {"user root;" if os.geteuid() == 0 else ""}
            daemon off; worker_processes auto; pid {self.home}/pid; error_log stderr;
            events {{ worker_connections 1024; }}
            http {{
                {paths} access_log {self.home}/access.log; sendfile on; tcp_nopush on;
                client_max_body_size 0; keepalive_requests 1000000000;
                server {{
                    listen 127.0.0.1:{self.port}{" ssl" if self.is_tls else ""}; {tls} root {self.folder};
                    location / {{
                        dav_methods PUT; create_full_put_path on; auth_basic bench; auth_basic_user_file {self.home}/users;
                    }}
                }}
            }}""")
        return [self.bench.tools.nginx, "-c", self.home / "nginx.conf", "-p", self.home]


class Rclone(Server):
    protocol = "webdav"

    def command(self):
        command = [self.bench.tools.rclone, "serve", self.protocol, self.folder, "--addr", f"127.0.0.1:{self.port}", "--user", USER, "--pass",
                   PASSWORD, "--config", "/dev/null"]
        return command + (["--cert", self.bench.certificate[0], "--key", self.bench.certificate[1]] if self.is_tls else [])


class Dufs(Server):
    def command(self):
        command = [self.bench.tools.dufs, self.folder, "-b", "127.0.0.1", "-p", self.port, "-a", f"{USER}:{PASSWORD}@/:rw", "--allow-all"]
        return command + (["--tls-cert", self.bench.certificate[0], "--tls-key", self.bench.certificate[1]] if self.is_tls else [])


def spread(folder):
    """Has ext4 give each folder in this one a place of its own on the disk. Without a journal it looks, for each new file, at all
    files that were deleted beside it in the last minutes: whoever ran after another server's clearing up would pay for that."""
    subprocess.run(["chattr", "+T", str(folder)], stderr=subprocess.DEVNULL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def die_with_parent(last_signal):
    """What a server hears when the bench is gone without having stopped it."""
    return lambda: LIBC.prctl(PR_SET_PDEATHSIG, last_signal)
