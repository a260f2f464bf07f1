//! What could not be restored, as a report lists it. The kinds are those of the Cloud Backup API v1.0, backup report.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::io::Errno;

use crate::agent::jobs::item_errors::{cut, cut_to, of_failure};
use crate::model::run_record::{MAX_ERROR_BYTES, MAX_ERRORS};
use crate::vault::failure::Failure;
use crate::vault::restore::Report;
use crate::wire::channel::run::Error;

/// What the system says where the destination takes nothing from us.
const DENIED: [Errno; 3] = [Errno::ACCESS, Errno::PERM, Errno::ROFS];
const FULL: [Errno; 2] = [Errno::NOSPC, Errno::DQUOT];
const BUSY: [Errno; 3] = [Errno::BUSY, Errno::TXTBSY, Errno::AGAIN];
const NAME: [Errno; 2] = [Errno::NAMETOOLONG, Errno::ILSEQ];

/// The errors that are listed, and the number of all. What the snapshot does not hold comes first.
pub(super) fn errors(report: &Report, missing: &[&[u8]]) -> (Vec<Error>, u64) {
    // Where a folder above could not be read, nobody knows whether it was there.
    let is_known = |path: &&&[u8]| !report.failures.iter().any(|failure| Path::new(OsStr::from_bytes(path)).starts_with(&failure.path));
    let absent: Vec<Error> = missing.iter().filter(is_known).map(|path| of_missing(path)).collect();
    let count = (absent.len() + report.failures.len()) as u64 + report.failures_left_out;
    (absent.into_iter().chain(report.failures.iter().map(listed)).take(MAX_ERRORS).collect(), count)
}

/// Why nothing at all could be written, where each failure says so.
pub(super) fn refusal_of_all(report: &Report) -> Option<&'static str> {
    let has_nothing = report.files + report.others + report.skipped == 0 && !report.failures.is_empty();
    let all = |errors: &[Errno]| has_nothing && report.failures.iter().all(|failure| is(failure, errors));
    match () {
        () if all(&FULL) => Some("OutOfDiskSpace"),
        () if all(&DENIED) => Some("DestinationNotWritable"),
        () => None,
    }
}

fn of_missing(path: &[u8]) -> Error {
    let path = String::from_utf8_lossy(path);
    Error {
        kind: 102,
        description: "The item is not in the backup.".to_owned(),
        exception: format!("The backup does not hold \"{}\".", cut_to(&path, MAX_ERROR_BYTES / 2)),
        path: cut(&path),
        ..Error::default()
    }
}

fn listed(failure: &Failure) -> Error {
    of_failure(failure, kind(failure))
}

fn kind(failure: &Failure) -> (i64, &'static str) {
    const OF_VAULT: [&str; 5] = ["read folder", "read chunk", "find", "add up chunks", "read"];
    match () {
        () if is(failure, &DENIED) => (103, "Access to the item was denied."),
        () if is(failure, &BUSY) => (104, "The item is in use."),
        () if is(failure, &NAME) || failure.doing == "check name" => (106, "The name of the item cannot be used."),
        () if is(failure, &FULL) => (101, "There is no room for the item."),
        () if failure.errno.is_none() && OF_VAULT.contains(&failure.doing) => (107, "The vault does not hold all of the item."),
        () => (101, "The item could not be restored, or not wholly."),
    }
}

fn is(failure: &Failure, errors: &[Errno]) -> bool {
    failure.errno.is_some_and(|errno| errors.contains(&Errno::from_raw_os_error(errno)))
}

#[cfg(test)]
mod tests {
    use std::io;

    use jiff::Timestamp;

    use super::*;

    fn report(failures: Vec<Failure>) -> Report {
        let (files, folders, others, bytes_written, skipped, bytes_skipped, verified) = (0, 0, 0, 0, 0, 0, 0);
        let (start, end, ended_by, failures_left_out) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH, None, 0);
        Report {
            files,
            folders,
            others,
            bytes_written,
            skipped,
            bytes_skipped,
            verified,
            failures,
            failures_left_out,
            ended_by,
            start,
            end,
        }
    }

    fn failure(doing: &'static str, errno: Errno) -> Failure {
        Failure::of_io("/srv/x", doing, &io::Error::from_raw_os_error(errno.raw_os_error()))
    }

    #[test]
    fn a_failure_is_listed_with_its_kind() {
        for (failure, expected) in [
            (failure("make folder", Errno::ROFS), 103),
            (failure("rename", Errno::TXTBSY), 104),
            (failure("create", Errno::NAMETOOLONG), 106),
            (failure("write", Errno::NOSPC), 101),
            (failure("read", Errno::IO), 101),
            (Failure::of("/srv/x", "read chunk", "damaged"), 107),
            (Failure::of("/srv/x", "check name", "an entry has an empty name"), 106),
            (Failure::of("/srv/x", "make folder", "something else is at its place"), 101),
        ] {
            assert_eq!(listed(&failure).kind, expected, "{failure:?}");
        }
        let full = listed(&failure("write", Errno::NOSPC));
        assert_eq!(full.exception, "Cannot write \"/srv/x\": No space left on device.");
        assert_eq!((full.details.as_str(), full.code, full.path.as_str()), ("write failed with errno 28", 28, "/srv/x"));
    }

    #[test]
    fn a_thousand_are_listed_and_all_are_counted() {
        let mut many = report((0..1500).map(|number| Failure::of(format!("/{number}"), "find", "damaged")).collect());
        many.failures_left_out = 7;
        let (listed, count) = errors(&many, &[b"/gone\xff"]);
        assert_eq!((listed.len(), count), (1000, 1508));
        assert_eq!((listed[0].kind, listed[0].path.as_str()), (102, "/gone\u{fffd}"));
    }

    #[test]
    fn what_lies_in_a_folder_that_cannot_be_read_is_not_said_to_be_missing() {
        let report = report(vec![Failure::of("/srv", "read folder", "damaged")]);
        let (listed, count) = errors(&report, &[b"/srv/www", b"/srvx"]);
        assert_eq!((listed.iter().map(|error| error.path.as_str()).collect::<Vec<_>>(), count), (vec!["/srvx", "/srv"], 2));
    }

    #[test]
    fn only_where_the_destination_takes_nothing_at_all_has_the_restore_failed() {
        let full = || failure("write", Errno::NOSPC);
        assert_eq!(refusal_of_all(&report(vec![full(), failure("create", Errno::DQUOT)])), Some("OutOfDiskSpace"));
        assert_eq!(refusal_of_all(&report(vec![failure("create", Errno::ROFS)])), Some("DestinationNotWritable"));
        assert_eq!(refusal_of_all(&report(vec![full(), failure("create", Errno::IO)])), None);
        assert_eq!(refusal_of_all(&report(Vec::new())), None);
        for something in [Report { files: 1, ..report(vec![full()]) }, Report { skipped: 1, ..report(vec![full()]) }] {
            assert_eq!(refusal_of_all(&something), None);
        }
    }
}
