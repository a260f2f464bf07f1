//! `tracing` set-up: lines on standard error, as text or JSON, whose level can change while serving.
//!
//! Whatever a client puts into a name, no control character reaches the terminal or ends a line.

use std::io::{self, Write};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::LogConfig;

/// Changes the level of a running log.
#[derive(Clone, Debug)]
pub struct LogHandle(reload::Handle<EnvFilter, Registry>);

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("`{level}` is no log level; use error, warn, info, debug, or a filter such as strongroom=debug")]
    Level { level: String, source: tracing_subscriber::filter::ParseError },
    #[error("the log is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
    #[error("the log has ended")]
    Ended(#[from] reload::Error),
}

/// Sends what the whole process logs to standard error, panics included. Once per process.
pub fn init(config: &LogConfig) -> Result<LogHandle, LogError> {
    let (filter, handle) = reload::Layer::new(filter(&config.level)?);
    let escape = if config.json { Escape::Json } else { Escape::Text };
    let lines = lines(config.json, move || Escaped { out: io::stderr(), escape });
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a task panicked")));
    Ok(LogHandle(handle))
}

impl LogHandle {
    /// Puts another level in force; a bad one leaves the old.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        Ok(self.0.reload(filter(level)?)?)
    }
}

/// A certificate that was not believed is told of by whoever met it, once, and not at every try by the library that looked at it.
const SAID_ELSEWHERE: &str = "rustls_platform_verifier=off";

/// Whatever level a server asks of its agents, their logs name no file that they save. Who wants them asks for them by this target.
const FILES_UNSAID: &str = "strongroom::file=off";

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder()
        .parse(format!("{SAID_ELSEWHERE},{FILES_UNSAID},{level}"))
        .map_err(|source| LogError::Level { level: level.to_owned(), source })
}

/// Colours stay off: they are escape sequences, and nobody could tell ours from a client's.
fn lines<S, W, M>(json: bool, out: M) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: Write,
    M: Fn() -> W + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(out);
    if json { layer.json().flatten_event(true).boxed() } else { layer.boxed() }
}

/// A writer of whole events: their last character ends the line, and no other is let through that moves a terminal's
/// cursor, ends a line, or turns the direction of text.
struct Escaped<W> {
    out: W,
    escape: Escape,
}

/// How a character is spelled that must not stand there.
#[derive(Clone, Copy)]
enum Escape {
    /// `\u{202e}`
    Text,
    /// `\u202e`
    Json,
}

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        if line.chars().any(is_hazard) {
            let mut safe: String = line.chars().map(|char| self.escape.spell(char)).collect();
            safe.push('\n');
            self.out.write_all(safe.as_bytes())?;
        } else {
            self.out.write_all(event)?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Escape {
    fn spell(self, char: char) -> String {
        match (is_hazard(char), self) {
            (false, _) => char.to_string(),
            (true, Self::Text) => char.escape_unicode().to_string(),
            (true, Self::Json) => format!("\\u{:04x}", u32::from(char)),
        }
    }
}

/// Control characters, line ends that are none to a terminal, and what turns or hides text.
fn is_hazard(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no test panics while writing").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const HOSTILE: &str = "a\r\n2026-01-01 ERROR forged\u{1b}[2J\u{7}\u{7f}\u{9b}31m\u{202e}gnp\u{2028}\u{feff}z";

    /// What is logged of a hostile text in each place where one can stand.
    fn logged(json: bool) -> String {
        let lines = Lines::default();
        let out = lines.clone();
        let escape = if json { Escape::Json } else { Escape::Text };
        let layer = super::lines(json, move || Escaped { out: out.clone(), escape });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("span", name = HOSTILE);
            let _inside = span.enter();
            tracing::info!(name = HOSTILE, shown = %HOSTILE, debug = ?HOSTILE, "{HOSTILE}");
        });
        let bytes = lines.0.lock().expect("no test panics while writing").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn hostile_text_stays_on_one_line_without_a_raw_control_character() {
        for json in [false, true] {
            let text = logged(json);
            let line = text.strip_suffix('\n').expect("a whole line");
            assert_eq!(line.chars().filter(|char| is_hazard(*char)).collect::<String>(), "", "{line:?}");
            assert!(line.matches("forged").count() >= 3, "the text itself is kept: {line}");
        }
    }

    #[test]
    fn json_lines_stay_json_and_keep_the_value() {
        let value: serde_json::Value = serde_json::from_str(&logged(true)).expect("JSON");
        assert_eq!(value["name"], HOSTILE);
    }

    #[test]
    fn a_bad_level_is_named() {
        let error = filter("strongroom=loud=er").expect_err("no level");
        assert!(error.to_string().contains("`strongroom=loud=er`"), "{error}");
    }
}
