//! README and unit file as an operator pastes them: every line runs, with the machine's folders under one of the test's own.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::figure::figure;
use crate::support::{SOON, eventually, program, skip};

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The lines of a text's code blocks between two of its lines.
fn pasted(text: &str, from: &str, to: &str) -> Vec<String> {
    let begin = text.find(from).unwrap_or_else(|| panic!("{from}"));
    let part = &text[begin..begin + text[begin..].find(to).unwrap_or_else(|| panic!("{to}"))];
    let blocks = part.split("```").skip(1).step_by(2);
    blocks.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).filter(|line| !line.is_empty()).collect()
}

/// The line for this user alone in a root of its own; `None` for what only a real machine can do.
fn here(line: &str, root: &Path) -> Option<String> {
    if line.contains("systemctl") || line.contains("useradd") {
        return None;
    }
    let mut line = line.replace("sudo -u strongroom ", "").replace("sudo ", "").replace("-o strongroom ", "").replace("-g strongroom ", "");
    for folder in ["/var/lib/strongroom", "/etc/strongroom", "/usr/local", "/var/backups", "/etc/systemd", "/etc/bash_completion.d"] {
        line = line.replace(folder, &format!("{}{folder}", root.display()));
    }
    Some(line)
}

struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    /// A folder of sources with a built binary and the config that the README asks for.
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let sources = root.path().join("sources");
        for folder in ["target/release", "deploy", "etc"] {
            std::fs::create_dir_all(sources.join(folder)).expect("a folder is made");
        }
        // No machine lacks these.
        for folder in ["etc/systemd/system", "usr/local/bin", "var/lib", "var/backups"] {
            std::fs::create_dir_all(root.path().join(folder)).expect("a folder is made");
        }
        std::fs::copy(env!("CARGO_BIN_EXE_strongroom"), sources.join("target/release/strongroom")).expect("the binary is copied");
        std::fs::write(sources.join("deploy/strongroom.service"), read("deploy/strongroom.service")).expect("the unit is copied");
        let config: String = pasted(&read("README.md"), "**Settings.**", "A flag or").join("\n");
        let config = here(&config, root.path()).expect("settings are no commands") + "\nlisten = \"127.0.0.1:0\"\n";
        std::fs::write(sources.join("config.toml"), config).expect("the config is written");
        Self { root }
    }

    fn shell(&self, line: &str) -> Command {
        let root = self.root.path();
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", line]).current_dir(root.join("sources")).env_clear();
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", root.join("usr/local/bin").display()));
        // Commands find the file where the README puts it.
        command.env("STRONGROOM_CONFIG", root.join("etc/strongroom/config.toml")).stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn paste(&self, line: &str) {
        let Some(line) = here(line, self.root.path()) else { return };
        let output = self.shell(&line).output().expect("bash runs");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn what_readme_and_unit_say_works_as_pasted() {
    let machine = Machine::new();
    let (unit, readme) = (read("deploy/strongroom.service"), read("README.md"));
    let header: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
    assert!(header.len() >= 4, "{header:?}");
    header.iter().for_each(|line| machine.paste(line));
    let by_hand = pasted(&readme, "**systemd.**", "**Accounts.**");
    let mut server = None;
    for line in &by_hand {
        if !line.contains("strongroom serve") {
            machine.paste(line);
            continue;
        }
        let line = format!("exec {}", here(line, machine.root.path()).expect("a command"));
        let mut process = machine.shell(&line).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("bash runs");
        let mut out = std::io::BufReader::new(process.stdout.take().expect("a pipe"));
        let mut first = String::new();
        std::io::BufRead::read_line(&mut out, &mut first).expect("the server speaks");
        assert!(first.starts_with("Serving https://localhost:"), "{first}");
        let url = std::io::BufRead::lines(&mut out).map_while(Result::ok).find(|line| line.starts_with("https://"));
        server = Some((process, out, url.expect("the first access URL")));
    }
    let (mut process, _out, url) = server.expect("the README starts a server");
    assert!(url.ends_with("@backup.example.com:8443/"), "links and access URLs name the public URL: {url}");
    let user = &url["https://".len()..][..6];
    for line in pasted(&readme, "A flag or a variable", "**Certificate.**") {
        machine.paste(&line);
    }
    for line in pasted(&readme, "**Accounts.**", "When the catalog is lost") {
        let line = line.replace("Y21R3P", user);
        machine.paste(if line.contains(" remove ") { "true" } else { &line });
    }
    machine.paste("sudo -u strongroom strongroom clock accept");
    for line in pasted(&readme, "**Completions and man page.**", "## How to work on it") {
        machine.paste(if line.contains(" remove ") { "true" } else { &line });
    }
    for file in ["var/lib/strongroom/access-url.txt", "etc/bash_completion.d/strongroom", "usr/local/share/man/man1/strongroom.1"] {
        assert!(machine.root.path().join(file).metadata().is_ok_and(|file| file.len() > 0), "{file}");
    }
    let pid = i32::try_from(process.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("the server takes Ctrl-C");
    let ended = eventually("the server ends", SOON, || process.try_wait().expect("it can be waited for"));
    assert_eq!(ended.code(), Some(0));
    machine.paste(&format!("sudo -u strongroom strongroom account remove {user} --yes"));
    machine.paste("sudo -u strongroom strongroom user remove bob --yes");
}

/// The units, each with the worst exposure that `systemd-analyze security` may give it.
const UNITS: [(&str, f64); 2] = [("strongroom.service", 2.0), ("strongroom-agent.service", 4.0)];

/// What systemd-analyze says of a unit, with the machine's binary in its place.
fn analyzed(analyze: &Path, arguments: &[&str], unit: &str) -> String {
    let machine = Machine::new();
    let installed = machine.root.path().join("usr/local/bin/strongroom");
    std::fs::copy(env!("CARGO_BIN_EXE_strongroom"), &installed).expect("the binary is copied");
    let text = read(&format!("deploy/{unit}")).replace("/usr/local/bin/strongroom", &installed.display().to_string());
    let file = machine.root.path().join(unit);
    std::fs::write(&file, text).expect("the unit is written");
    let output = Command::new(analyze).args(arguments).arg(&file).output().expect("systemd-analyze runs");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn systemd_understands_the_units_and_finds_them_hardened() {
    let Some(analyze) = program(&["systemd-analyze"]) else { return skip("systemd-analyze is not installed") };
    for (unit, worst) in UNITS {
        let said = analyzed(&analyze, &["verify", "--man=no"], unit);
        let mine: Vec<&str> = said.lines().filter(|line| line.contains("strongroom")).collect();
        assert!(mine.is_empty(), "{said}");
        let said = analyzed(&analyze, &["security", "--offline=true", "--no-pager"], unit);
        let exposure = said.lines().find_map(|line| line.split_once("Overall exposure level for ")?.1.split_once(": "));
        let exposure = exposure.and_then(|(_, level)| level.split_whitespace().next()?.parse::<f64>().ok());
        let exposure = exposure.unwrap_or_else(|| panic!("{said}"));
        assert!(exposure <= worst, "{unit} is at {exposure}: {said}");
        figure("A6", &format!("exposure of {unit}"), &format!("{exposure} of 10 (systemd-analyze security)"), None);
    }
}

/// What would make backups incomplete or restores fail is not in the agent's unit, and what it needs is.
#[test]
fn the_agents_unit_reads_everything_and_restores_anywhere() {
    let unit = read("deploy/strongroom-agent.service");
    let settings: Vec<(&str, &str)> = unit.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')).collect();
    let all = |name: &str| settings.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value).collect::<Vec<_>>().join(" ");
    for hides in
        ["ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateUsers", "ProtectKernelModules", "RestrictSUIDSGID"]
    {
        assert_eq!(all(hides), "", "{hides}");
    }
    assert!(!settings.iter().any(|(name, _)| name.ends_with("Paths") || *name == "User"), "{settings:?}");
    for capability in ["DAC_READ_SEARCH", "DAC_OVERRIDE", "CHOWN", "FOWNER", "FSETID", "MKNOD", "SETFCAP"] {
        assert!(all("CapabilityBoundingSet").split(' ').any(|known| known == format!("CAP_{capability}")), "{capability}");
    }
    assert_eq!((all("Type"), all("ExecStart")), ("notify".to_owned(), "/usr/local/bin/strongroom agent run".to_owned()));
    assert!(all("TimeoutStopSec").parse::<u64>().is_ok_and(|seconds| seconds >= 60), "it ends in its own time");
    assert_eq!((all("StateDirectory"), all("StateDirectoryMode")), ("strongroom-agent".to_owned(), "0700".to_owned()));
}
