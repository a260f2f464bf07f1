//! `config show` and `config check`.

use serde_json::{Value, json};

use super::console::Console;
use super::failure::Failure;
use super::settings::SettingFlags;
use super::table::table;
use crate::clock::Clock;
use crate::config::{Config, Kind, Layers, SETTINGS, Setting};
use crate::server::tls::Certificates;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Print every setting in force and where it comes from, secrets redacted
    Show,
    /// Say whether a server could start with these settings
    Check,
}

pub fn run(command: Command, settings: &SettingFlags, console: &mut Console) -> Result<(), Failure> {
    match command {
        Command::Show => show(&Layers::load(&settings.flags)?, console),
        Command::Check => {
            let (config, layers) = Config::load(&settings.flags)?;
            check(&config, &layers, console)
        }
    }
}

fn show(layers: &Layers, console: &mut Console) -> Result<(), Failure> {
    let entry = |setting: &Setting| {
        let value = json!({ "value": as_json(setting, layers), "from": layers.get(setting.name).origin.to_string() });
        (setting.name.to_owned(), value)
    };
    let json = Value::Object(SETTINGS.iter().map(entry).collect());
    let row = |setting: &Setting| {
        let origin = &layers.get(setting.name).origin;
        vec![format!("{} = {}", setting.name, as_toml(setting, layers)), format!("# {origin}")]
    };
    console.answer_either(&json, || table(&SETTINGS.iter().map(row).collect::<Vec<_>>()))
}

/// The value as its kind; a text that does not fit its kind is shown as text, since `config check` says what is wrong.
fn as_json(setting: &Setting, layers: &Layers) -> Value {
    let text = layers.shown(setting.name);
    let typed = match setting.kind {
        Kind::Number | Kind::Size => text.parse::<u64>().ok().map(Value::from),
        Kind::Flag => text.parse::<bool>().ok().map(Value::from),
        Kind::List => Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
        Kind::Text => None,
    };
    typed.unwrap_or(Value::String(text))
}

/// JSON's numbers, flags, texts and arrays of texts are TOML's, too.
fn as_toml(setting: &Setting, layers: &Layers) -> String {
    as_json(setting, layers).to_string()
}

/// Beyond what the settings say of each other: the certificate and its key can be served by whoever asks.
fn check(config: &Config, layers: &Layers, console: &mut Console) -> Result<(), Failure> {
    if !config.server.plain_http {
        let checked = Certificates::check(&config.server, &config.store.data, &Clock::system());
        checked.map_err(|error| Failure::because("cannot serve TLS", &error))?;
    }
    let file = layers.file.as_ref().map(|path| path.display().to_string());
    let json = json!({ "file": file });
    console.answer_either(&json, || match file {
        Some(file) => format!("The settings are good; the config file is {file}\n"),
        None => "The settings are good; there is no config file\n".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::console::tests::console;
    use super::*;
    use crate::config::Flags;

    fn layers(values: &[(&'static str, &str)]) -> Layers {
        let values = values.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        Layers::load(&Flags { config_file: Some("config.example.toml".into()), values }).expect("the example is good")
    }

    #[test]
    fn show_prints_each_setting_with_its_origin_as_a_config_file() {
        let (mut console, answers, _) = console("", false, false);
        show(&layers(&[("header_seconds", "20"), ("trusted_proxies", "192.0.2.1,192.0.2.2")]), &mut console).expect("it is written");
        let text = answers.text();
        assert_eq!(text.lines().count(), SETTINGS.len());
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        assert!(line("header_seconds = 20").ends_with("  # --header-seconds"), "{text}");
        assert!(line(r#"trusted_proxies = ["192.0.2.1","192.0.2.2"]"#).ends_with("  # --trusted-proxies"), "{text}");
        assert!(line(r#"drain_bytes = "256 MiB""#).contains("  # config.example.toml, line "), "{text}");
        let file: toml::Table = toml::from_str(&text).expect("it is a config file again");
        assert_eq!(file.len(), SETTINGS.len());
    }

    #[test]
    fn show_redacts_and_speaks_json() {
        let (mut console, answers, _) = console("", false, true);
        show(&layers(&[("catalog", "postgres://me:hunter2@db/x"), ("plain_http", "true")]), &mut console).expect("it is written");
        let value: Value = serde_json::from_str(&answers.text()).expect("it is JSON");
        assert_eq!(value["catalog"], json!({ "value": "redacted", "from": "--catalog" }));
        assert_eq!(value["plain_http"]["value"], json!(true));
        assert_eq!(value["connections"]["value"], json!(16_000));
    }

    #[test]
    fn check_reads_the_certificate_too() {
        let flags = Flags {
            config_file: Some("config.example.toml".into()),
            values: [("tls_certificate", "no-such-file".to_owned()), ("tls_key", "no-such-file".to_owned())].into(),
        };
        let (config, layers) = Config::load(&flags).expect("the settings fit together");
        assert!(check(&config, &layers, &mut console("", false, false).0).is_err());
    }
}
