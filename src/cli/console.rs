//! Where a command reads and writes. A reader that went away (`| head`) ends nothing and is no failure, unless it was to take a
//! secret that cannot be shown again.

use std::io::{self, BufRead, IsTerminal as _, Write};

use super::failure::Failure;

/// Standard input, output and error of a command, or a test's buffers.
pub struct Console {
    answers: Box<dyn Write>,
    notes: Box<dyn Write>,
    input: Box<dyn BufRead>,
    /// Whether a person can be asked.
    pub is_interactive: bool,
    /// Whether a person watches the notes: progress is drawn then.
    pub is_watched: bool,
    pub json: bool,
}

impl Console {
    pub fn of_process(json: bool) -> Self {
        Self {
            answers: Box::new(io::stdout()),
            notes: Box::new(io::stderr()),
            input: Box::new(io::BufReader::new(io::stdin())),
            is_interactive: io::stdin().is_terminal(),
            is_watched: io::stderr().is_terminal() && !json,
            json,
        }
    }

    /// Writes a text to standard output and flushes it; the text brings its own line ends.
    pub fn answer(&mut self, text: &str) -> Result<(), Failure> {
        match self.write(text) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unwritten(&error)),
            _ => Ok(()),
        }
    }

    /// Writes `value` in JSON, or what `text` makes for people.
    pub fn answer_either(&mut self, value: &serde_json::Value, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json { self.answer(&format!("{value}\n")) } else { self.answer(&text()) }
    }

    /// Writes what is shown only once: here a reader that went away is a failure like every other.
    pub fn hand_over(&mut self, text: &str) -> Result<(), Failure> {
        self.write(text).map_err(|error| unwritten(&error))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.answers.write_all(text.as_bytes()).and_then(|()| self.answers.flush())
    }

    /// Writes a line to standard error. A note that cannot be written is no reason to fail.
    pub fn note(&mut self, line: &str) {
        drop(writeln!(self.notes, "{line}").and_then(|()| self.notes.flush()));
    }

    /// Writes a question to standard error, for an answer on the same line.
    pub fn prompt(&mut self, question: &str) {
        drop(write!(self.notes, "{question} ").and_then(|()| self.notes.flush()));
    }

    /// Asks on standard error and reads a line; `None` at the end of the input.
    pub fn ask(&mut self, question: &str) -> Option<String> {
        self.prompt(question);
        self.line()
    }

    /// Reads a line that nobody is asked for; `None` at the end of the input.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let bytes = self.input.read_line(&mut line).ok()?;
        (bytes > 0).then(|| line.trim().to_owned())
    }
}

fn unwritten(error: &io::Error) -> Failure {
    Failure::because("cannot write to standard output", error)
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// A buffer that outlives the console that writes to it.
    #[derive(Clone, Default)]
    pub struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Shared {
        pub fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).expect("commands write UTF-8")
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A console in memory, with what was answered and what was noted.
    pub fn console(input: &'static str, is_interactive: bool, json: bool) -> (Console, Shared, Shared) {
        let (answers, notes) = (Shared::default(), Shared::default());
        let console = Console {
            answers: Box::new(answers.clone()),
            notes: Box::new(notes.clone()),
            input: Box::new(input.as_bytes()),
            is_interactive,
            is_watched: false,
            json,
        };
        (console, answers, notes)
    }

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure_but_a_full_disk_is() {
        let mut console = console("", false, false).0;
        console.answers = Box::new(Failing(io::ErrorKind::BrokenPipe));
        assert!(console.answer("text\n").is_ok());
        assert!(console.hand_over("a secret\n").is_err(), "nobody has what was shown once");
        console.answers = Box::new(Failing(io::ErrorKind::StorageFull));
        assert!(console.answer("text\n").is_err());
    }

    #[test]
    fn asking_ends_with_the_input() {
        let (mut console, answers, notes) = console("Y21R3P \n", true, false);
        assert_eq!(console.ask("Name?").as_deref(), Some("Y21R3P"));
        assert_eq!(console.ask("Name?"), None);
        assert_eq!((answers.text().as_str(), notes.text().as_str()), ("", "Name? Name? "));
    }
}
