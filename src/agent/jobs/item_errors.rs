//! What went wrong with single files, as a report lists it. The kinds are those of the Cloud Backup API v1.0, backup report.

use rustix::io::Errno;

use super::reasons::sentence;
use crate::model::run_record::{MAX_ERROR_BYTES, MAX_ERRORS};
use crate::vault::failure::Failure;
use crate::wire::channel::run::Error;

/// The agent itself.
const AGENT: i64 = 101;

/// At most as many errors as a report lists, and the number of all.
#[derive(Default)]
pub struct ItemErrors {
    pub listed: Vec<Error>,
    pub count: u64,
}

impl ItemErrors {
    pub fn add(&mut self, failure: &Failure) {
        self.push(|| of_failure(failure, kind(failure)));
    }

    /// Something of the agent's own went wrong, which concerns no single file.
    pub fn add_own(&mut self, description: &str, exception: &str) {
        self.push(|| Error { kind: AGENT, description: cut(description), exception: cut(exception), ..Error::default() });
    }

    /// Errors of which only the number is known.
    pub const fn add_unlisted(&mut self, count: u64) {
        self.count += count;
    }

    fn push(&mut self, error: impl FnOnce() -> Error) {
        self.count += 1;
        if self.listed.len() < MAX_ERRORS {
            self.listed.push(error());
        }
    }
}

/// A failure as a report lists it, of this kind and with its description.
pub fn of_failure(failure: &Failure, (kind, description): (i64, &str)) -> Error {
    let path = failure.path.to_string_lossy();
    // What the number says is in the details.
    let why = failure.why.split(" (os error ").next().unwrap_or_default();
    let details = failure.errno.map_or_else(String::new, |errno| format!("{} failed with errno {errno}", failure.doing));
    Error {
        kind,
        description: description.to_owned(),
        exception: cut(&format!("Cannot {} \"{}\": {}", failure.doing, cut_to(&path, MAX_ERROR_BYTES / 2), sentence(why))),
        details: cut(&details),
        code: failure.errno.unwrap_or(0).into(),
        path: cut(&path),
    }
}

fn kind(failure: &Failure) -> (i64, &'static str) {
    const GONE: [Errno; 4] = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::STALE];
    const DENIED: [Errno; 3] = [Errno::ACCESS, Errno::PERM, Errno::ROFS];
    const BUSY: [Errno; 4] = [Errno::BUSY, Errno::TXTBSY, Errno::AGAIN, Errno::DEADLK];
    const NAME: [Errno; 2] = [Errno::NAMETOOLONG, Errno::ILSEQ];
    let errno = failure.errno.map(Errno::from_raw_os_error);
    let is = |all: &[Errno]| errno.is_some_and(|errno| all.contains(&errno));
    match () {
        () if is(&GONE) => (102, "The item is not there."),
        () if is(&DENIED) => (103, "Access to the item was denied."),
        () if is(&BUSY) => (104, "The item is in use."),
        () if is(&NAME) => (106, "The name of the item cannot be used."),
        () if failure.doing == "find" => (105, "The item cannot be backed up."),
        () => (105, "The item could not be read, or not wholly."),
    }
}

/// At most what a report takes of one text, between two characters.
pub fn cut(text: &str) -> String {
    cut_to(text, MAX_ERROR_BYTES).to_owned()
}

/// At most so many bytes, between two characters.
pub fn cut_to(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    fn listed(failure: &Failure) -> Error {
        of_failure(failure, kind(failure))
    }

    fn of(doing: &'static str, errno: i32) -> Error {
        listed(&Failure::of_io("/srv/www/.env", doing, &io::Error::from_raw_os_error(errno)))
    }

    #[test]
    fn an_error_names_what_was_done_and_the_systems_number() {
        let error = Error {
            kind: 103,
            description: "Access to the item was denied.".to_owned(),
            exception: "Cannot open \"/srv/www/.env\": Permission denied.".to_owned(),
            details: "open failed with errno 13".to_owned(),
            code: 13,
            path: "/srv/www/.env".to_owned(),
        };
        assert_eq!(of("open", 13), error);
        let changed = listed(&Failure::of("/x", "read", "it changed while it was read"));
        assert_eq!((changed.kind, changed.code, changed.details.as_str()), (105, 0, ""));
        assert_eq!(changed.exception, "Cannot read \"/x\": It changed while it was read.");
    }

    #[test]
    fn the_kind_follows_from_the_systems_number() {
        for (doing, errno, kind) in [
            ("find", Errno::NOENT, 102),
            ("stat", Errno::NOENT, 102),
            ("open", Errno::LOOP, 102),
            ("read", Errno::PERM, 103),
            ("open", Errno::BUSY, 104),
            ("open", Errno::NAMETOOLONG, 106),
            ("read", Errno::IO, 105),
        ] {
            assert_eq!(of(doing, errno.raw_os_error()).kind, kind, "{errno}");
        }
    }

    #[test]
    fn a_thousand_are_listed_and_all_are_counted() {
        let mut errors = ItemErrors::default();
        for number in 0..1500 {
            errors.add(&Failure::of(format!("/{number}"), "read", "damaged"));
        }
        errors.add_unlisted(7);
        errors.add_own("The postscript failed.", "exit status 3");
        assert_eq!((errors.listed.len(), errors.count), (1000, 1508));
        assert_eq!(errors.listed[999].path, "/999");
    }

    #[test]
    fn texts_are_cut_and_odd_names_are_told_as_near_as_text_can() {
        let path = OsStr::from_bytes(&[&b"/\xff"[..], "ä".repeat(3000).as_bytes()].concat()).to_owned();
        let error = listed(&Failure::of(path, "read", "x".repeat(9000)));
        assert!(error.path.starts_with("/\u{fffd}ää"), "{}", error.path);
        for text in [&error.path, &error.exception] {
            assert!((2040..=2048).contains(&text.len()), "{}", text.len());
        }
        assert!(error.exception.contains(": Xxx"), "why is told, however long the path is");
    }
}
