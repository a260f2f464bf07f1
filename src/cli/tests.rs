use std::ffi::OsString;

use super::{Cli, Command, definition, parse};
use crate::config::SETTINGS;

fn parsed(line: &str) -> Result<Cli, clap::Error> {
    parse(words(line).into_iter().map(OsString::from))
}

/// The words of a shell line without expansions: quotes hold a word together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), letter) if letter == open => quote = None,
            (None, ' ') => words.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn the_definition_is_sound() {
    definition().debug_assert();
}

#[test]
fn every_setting_is_a_flag_before_and_after_a_command() {
    for setting in &SETTINGS {
        for line in [
            format!("strongroom --{}=x", setting.flag()),
            format!("strongroom --{}=x config show", setting.flag()),
            format!("strongroom config show --{}=x", setting.flag()),
        ] {
            let cli = parsed(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(cli.settings.flags.values.get(setting.name).map(String::as_str), Some("x"), "{line}");
            assert_eq!(cli.settings.flags.values.len(), 1, "{line}");
        }
    }
}

#[test]
fn without_a_command_it_serves() {
    assert!(parsed("strongroom --listen 127.0.0.1:0 --plain-http").expect("good").command.is_none());
    let served = parsed("strongroom serve --plain-http --data /srv/data").expect("good");
    assert!(matches!(served.command, Some(Command::Serve)));
    assert_eq!(served.settings.flags.values.get("plain_http").map(String::as_str), Some("true"));
}

#[test]
fn commands_of_the_server_are_understood() {
    for line in [
        "strongroom account add",
        "strongroom account add --kind vault --retention 365 --quota '100 GB' --description 'web server' --to url.txt",
        "strongroom --json account list",
        "strongroom account list --json",
        "strongroom account show Y21R3P --ended",
        "strongroom account set Y21R3P --retention 90 --quota none --description x",
        "strongroom account rotate Y21R3P",
        "strongroom account disable Y21R3P --reason 'moved away'",
        "strongroom account enable Y21R3P",
        "strongroom account remove Y21R3P --yes",
        "strongroom user add ada",
        "strongroom user add ada@example.com --tenant 5501 --role cloudbackup:creator --role OBSERVER --to secrets.txt",
        "strongroom user list --json",
        "strongroom user show ada",
        "strongroom user set ada --role cloudBackup:Admin --tenant 7",
        "strongroom user rotate ada --to secrets.txt",
        "strongroom user disable ada",
        "strongroom user enable ada",
        "strongroom user remove ada --yes",
        "strongroom agent run",
        "strongroom agent run --state /srv/agent --allow-scripts --limit-upload 100 --limit-download 200 --no-nice --log-level debug",
        "strongroom vault init -r /srv/vault --repository-version 1",
        "strongroom vault backup /etc /srv -r /srv/vault -e '*.o' -x --tag a,b -H db1 -f -n --compression max --json",
        "strongroom vault backup --files-from - --repo /srv/vault --cacert ca.pem --limit-upload 100 --retry-lock 2h",
        "strongroom vault snapshots latest --latest 3 -g host -p password --repository-file place",
        "strongroom vault ls latest:/etc / -l --recursive --no-lock",
        "strongroom vault restore latest:/etc -t /restored -i a --iinclude b --overwrite if-newer --verify",
        "strongroom vault check --read-data-subset 2/7",
        "strongroom vault forget -l 1 -H 2 -d 3 -w 4 -m 5 -y unlimited --keep-within 1y5m7d2h --keep-tag a,b --host h --prune",
        "strongroom vault forget --keep-last -1 --group-by=",
        "strongroom vault forget 1234abcd latest -n",
        "strongroom vault prune --max-unused unlimited --max-repack-size 1G --repack-uncompressed",
        "strongroom vault key list",
        "strongroom vault key passwd --new-password-file new",
        "strongroom vault unlock --remove-all --pin 00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff",
        "strongroom vault revive Y21R3P --at 2026-11-20",
        "strongroom agent register --server https://backup.example --user ada",
        "strongroom agent register --server https://backup.example:8443 --user ada --datacenter DFW --take-over 4101 --cacert ca.pem",
        "strongroom agent register --server https://backup.example --user ada --state /srv/agent --driveclient-files --passphrase-file p",
        "strongroom agent register --server https://backup.example --user ada --driveclient-files=/srv/driveclient --json",
        "strongroom agent status --state /srv/agent --json",
        "strongroom agent set --server https://backup.example --pin 00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff --force",
        "strongroom agent set --passphrase-file p",
        "strongroom check --account Y21R3P --quick",
        "strongroom catalog rebuild",
        "strongroom catalog backup copy.db",
        "strongroom clock accept",
        "strongroom -v config show --config other.toml",
        "strongroom config check",
        "strongroom completions bash",
        "strongroom man account add",
    ] {
        assert!(parsed(line).is_ok(), "{line}");
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for line in [
        "strongroom bakup",
        "strongroom --no-such-setting 1",
        "strongroom account",
        "strongroom account add --kind bucket",
        "strongroom account add --retention 29",
        "strongroom account add --quota lots",
        "strongroom account show y21r3p",
        "strongroom account set Y21R3P",
        "strongroom account disable Y21R3P",
        "strongroom user",
        "strongroom user add",
        "strongroom user add 'a b'",
        "strongroom user add a:b",
        "strongroom user add ada --role cloudbackup:owner",
        "strongroom user add ada --tenant agent",
        "strongroom user add ada --tenant a/b",
        "strongroom user set ada",
        "strongroom vault",
        "strongroom vault restore latest",
        "strongroom vault restore latest --target x --dry-run --verify",
        "strongroom vault forget latest --keep-last 1",
        "strongroom vault snapshots -r a --repository-file b",
        "strongroom vault snapshots --ca-file a --pin 00",
        "strongroom vault key",
        "strongroom agent",
        "strongroom agent register --user ada",
        "strongroom agent register --server https://backup.example",
        "strongroom agent register --server https://ada:key@backup.example --user ada",
        "strongroom agent register --server https://backup.example --user ada --take-over web-a",
        "strongroom agent register --server https://backup.example --user ada --ca-file a --pin 00",
        "strongroom agent set --server backup.example",
        "strongroom catalog backup",
        "strongroom completions tcl",
    ] {
        let error = parsed(line).err().unwrap_or_else(|| panic!("{line} is understood"));
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn help_is_short_with_h_and_whole_with_help() {
    let short = parsed("strongroom -h").err().expect("help").to_string();
    let long = parsed("strongroom --help").err().expect("help").to_string();
    assert!(short.contains("--listen") && !short.contains("--header-seconds"), "{short}");
    for setting in &SETTINGS {
        assert!(long.contains(&format!("--{}", setting.flag())), "{}", setting.name);
    }
}

#[test]
fn the_settings_of_a_server_are_in_no_help_of_a_client() {
    let backup = parsed("strongroom vault backup --help").err().expect("help").to_string();
    assert!(
        backup.contains("--repository-file") && backup.contains("--exclude-caches") && !backup.contains("--header-seconds"),
        "{backup}"
    );
    let revive = parsed("strongroom vault revive --help").err().expect("help").to_string();
    assert!(revive.contains("--header-seconds"), "{revive}");
    let register = parsed("strongroom agent register --help").err().expect("help").to_string();
    assert!(register.contains("--take-over") && !register.contains("--header-seconds"), "{register}");
    // What is given all the same is heard.
    let cli = parsed("strongroom vault snapshots --header-seconds=7").expect("good");
    assert_eq!(cli.settings.flags.values.get("header_seconds").map(String::as_str), Some("7"));
}

#[test]
fn the_commands_of_the_readme_exist() {
    let readme = include_str!("../../README.md");
    let commands = readme.lines().map(|line| line.trim_start_matches("$ ").trim_start_matches("sudo -u strongroom "));
    let commands: Vec<&str> = commands.filter(|line| line.starts_with("strongroom ")).collect();
    assert!(commands.len() >= 8, "the README shows {} commands", commands.len());
    for line in commands {
        let command = line.split(['|', '>', '#']).next().unwrap_or_default();
        assert!(parsed(command).is_ok(), "{line}");
    }
}

#[test]
fn completions_and_man_pages_know_the_commands() {
    use super::console::tests::console;
    for line in ["strongroom completions bash", "strongroom completions fish", "strongroom man", "strongroom man account"] {
        let (mut console, answers, _) = console("", false, false);
        parsed(line).expect("good").run(&mut console).expect("it is written");
        let text = answers.text();
        assert!(text.contains("rotate") || text.contains("account"), "{line}");
    }
}
