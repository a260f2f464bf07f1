//! The password of a repository: from a file, from the environment, or typed where nobody sees it.

use std::io;
use std::path::{Path, PathBuf};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::vault::keys::Password;

/// Bytes of the longest line that a terminal gives.
const MAX_LINE_BYTES: usize = 4096;
/// What Ctrl-C sends.
const INTERRUPT: u8 = 3;

/// The password that opens a repository.
pub fn existing(file: Option<&Path>, console: &mut Console) -> Result<Password, Failure> {
    match given(file)? {
        Some(password) => Ok(password),
        None => Ok(Password::new(typed("Password of the repository:", console)?)),
    }
}

/// The password of a repository that is made: typed twice, where it is typed.
pub fn first(file: Option<&Path>, console: &mut Console) -> Result<Password, Failure> {
    match given(file)? {
        Some(password) => Ok(password),
        None => twice("Password for the new repository:", console),
    }
}

/// A further password: from its own file, or typed twice.
pub fn further(file: Option<&Path>, console: &mut Console) -> Result<Password, Failure> {
    match file {
        Some(file) => of_file(file),
        None => twice("New password:", console).map_err(|failure| failure.with_hint("name a file with --new-password-file")),
    }
}

fn given(file: Option<&Path>) -> Result<Option<Password>, Failure> {
    let named = file.map(Path::to_owned).or_else(|| std::env::var_os("STRONGROOM_PASSWORD_FILE").map(PathBuf::from));
    if let Some(file) = named {
        return of_file(&file).map(Some);
    }
    match std::env::var("STRONGROOM_PASSWORD") {
        Ok(password) => not_empty(&password, "STRONGROOM_PASSWORD is empty").map(Some),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Failure::usage("STRONGROOM_PASSWORD is not UTF-8")),
    }
}

/// As restic reads it: white space around it, such as the last line's end, does not count.
fn of_file(file: &Path) -> Result<Password, Failure> {
    let doing = || format!("cannot read the password from {}", file.display());
    let bytes = std::fs::read(file).map_err(|error| Failure::because(doing(), &error))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::new(format!("{}: it is not UTF-8", doing())))?;
    not_empty(text.trim_start_matches('\u{feff}').trim(), &format!("{} is empty", file.display()))
}

fn not_empty(password: &str, complaint: &str) -> Result<Password, Failure> {
    if password.is_empty() { Err(Failure::usage(complaint)) } else { Ok(Password::new(password)) }
}

fn twice(question: &str, console: &mut Console) -> Result<Password, Failure> {
    let password = typed(question, console)?;
    if typed("Again:", console)? == password {
        return Ok(Password::new(password));
    }
    Err(Failure::new("the two passwords differ; nothing was changed"))
}

fn typed(question: &str, console: &mut Console) -> Result<String, Failure> {
    if !console.is_interactive {
        let failure = Failure::usage("no password is given, and there is no terminal to ask for it");
        return Err(failure.with_hint("name a file with --password-file, or set STRONGROOM_PASSWORD"));
    }
    hidden(question, console)
}

/// Asks on the terminal, which does not show what is typed; an empty line is wrong usage.
pub fn hidden(question: &str, console: &mut Console) -> Result<String, Failure> {
    console.prompt(question);
    let line = hidden_line();
    console.note("");
    let line = line.map_err(|error| Failure::because("cannot read from the terminal", &error))?;
    match line.strip_suffix('\n') {
        Some("") => Err(Failure::usage("what was typed is empty")),
        Some(password) => Ok(password.to_owned()),
        None => Err(Failure::new("cancelled")),
    }
}

/// A line from the terminal with its end, which is missing where Ctrl-C or Ctrl-D ended it. What is typed is not shown.
fn hidden_line() -> io::Result<String> {
    let stdin = io::stdin();
    let hidden = Hidden::begin(&stdin)?;
    let mut line = vec![0; MAX_LINE_BYTES];
    // A terminal gives no more than one line at a time.
    let length = rustix::io::retry_on_intr(|| rustix::io::read(&stdin, &mut line))?;
    drop(hidden);
    line.truncate(length);
    String::from_utf8(line).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// The terminal shows nothing, and Ctrl-C ends the line and not the process, which would leave the terminal so. Dropped, it is as it was.
struct Hidden<'a> {
    terminal: &'a io::Stdin,
    before: Termios,
}

impl<'a> Hidden<'a> {
    fn begin(terminal: &'a io::Stdin) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        hidden.local_modes.insert(LocalModes::ICANON);
        hidden.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        tcsetattr(terminal, OptionalActions::Now, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _: Result<(), _> = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::console::tests::console;

    #[test]
    fn without_a_terminal_the_refusal_says_how_to_give_a_password() {
        let failure = typed("Password:", &mut console("secret\n", false, false).0).expect_err("nobody is asked");
        assert_eq!(format!("{:?}", failure.exit_code()), "ExitCode(unix_exit_status(2))");
    }

    #[test]
    fn white_space_around_the_password_of_a_file_does_not_count() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("password");
        for (bytes, is_good) in [(&b"\xef\xbb\xbf correct horse \n"[..], true), (b"\n", false), (b"\xff", false), (b"", false)] {
            std::fs::write(&file, bytes).expect("a file is written");
            assert_eq!(of_file(&file).is_ok(), is_good, "{bytes:?}");
        }
        assert!(of_file(&folder.path().join("missing")).is_err());
    }
}
