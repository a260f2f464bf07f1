//! What is backed up: the paths of the command line and of files that list them.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;
use crate::vault::source::pattern::Patterns;

#[derive(clap::Args)]
pub struct SourceArgs {
    /// Files and folders to save
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A file that lists what to save, one a line, with `*`, `?` and `[…]`; `-` is standard input
    ///
    /// Empty lines and those that begin with `#` do not count, nor does white space around a line.
    #[arg(long, value_name = "FILE")]
    files_from: Vec<PathBuf>,
    /// A file that lists what to save, one a line, exactly as it is
    #[arg(long, value_name = "FILE")]
    files_from_verbatim: Vec<PathBuf>,
    /// A file that lists what to save, with a zero byte behind each, such as `find -print0` writes
    #[arg(long, value_name = "FILE")]
    files_from_raw: Vec<PathBuf>,
}

impl SourceArgs {
    /// All of them, at least one.
    pub fn all(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut all = self.paths.clone();
        for file in &self.files_from {
            for line in lines(&read(file)?) {
                let line = line.trim_ascii();
                if !line.is_empty() && !line.starts_with(b"#") {
                    all.extend(expanded(line)?);
                }
            }
        }
        for file in &self.files_from_verbatim {
            all.extend(lines(&read(file)?).filter(|line| !line.is_empty()).map(path));
        }
        for file in &self.files_from_raw {
            all.extend(raw(&read(file)?, file)?);
        }
        if all.iter().any(|path| path.as_os_str().is_empty()) {
            return Err(Failure::usage("a path to back up is empty"));
        }
        if all.is_empty() {
            return Err(Failure::usage("nothing to back up is named").with_hint("name files and folders, or a list with --files-from"));
        }
        Ok(all)
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn raw(bytes: &[u8], file: &Path) -> Result<Vec<PathBuf>, Failure> {
    let Some(names) = bytes.strip_suffix(b"\0") else {
        let is_nothing = bytes.is_empty();
        let cut = Failure::new(format!("{} does not end with a zero byte: it may be cut", file.display()));
        return if is_nothing { Ok(Vec::new()) } else { Err(cut) };
    };
    Ok(names.split(|byte| *byte == 0).map(path).collect())
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") { std::io::stdin().read_to_end(&mut bytes).map(|_| bytes) } else { std::fs::read(file) };
    read.map_err(|error| Failure::because(format!("cannot read the list {}", file.display()), &error))
}

/// The paths that a line means: itself, or whatever there is of its pattern. One of which there is nothing is a mistake.
fn expanded(line: &[u8]) -> Result<Vec<PathBuf>, Failure> {
    let is_pattern = |segment: &[u8]| segment.iter().any(|byte| b"*?[\\".contains(byte));
    if !is_pattern(line) {
        return Ok(vec![path(line)]);
    }
    let start = if line.starts_with(b"/") { "/" } else { "" };
    let mut found = vec![PathBuf::from(start)];
    for segment in line.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
        found = if is_pattern(segment) {
            let pattern = [&b"/"[..], if segment == b"**" { b"*" } else { segment }].concat();
            let pattern = Patterns::parse(&[pattern]).map_err(|error| Failure::usage(error.to_string()))?;
            found.iter().flat_map(|folder| matching(folder, &pattern)).collect()
        } else {
            let joined = found.iter().map(|folder| folder.join(path(segment)));
            joined.filter(|path| path.symlink_metadata().is_ok()).collect()
        };
    }
    if found.is_empty() {
        return Err(Failure::new(format!("there is nothing that matches {}", String::from_utf8_lossy(line))));
    }
    Ok(found)
}

/// The entries of a folder that a pattern of one segment means, in the order of their names.
fn matching(folder: &Path, pattern: &Patterns) -> Vec<PathBuf> {
    let read = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(read).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut names: Vec<OsString> = entries.filter(|name| pattern.matches(&[b"/", name.as_bytes()].concat())).collect();
    names.sort();
    names.into_iter().map(|name| folder.join(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(list: impl FnOnce(&mut SourceArgs)) -> Result<Vec<PathBuf>, Failure> {
        let mut args = SourceArgs { paths: vec![], files_from: vec![], files_from_verbatim: vec![], files_from_raw: vec![] };
        list(&mut args);
        args.all()
    }

    fn written(folder: &Path, text: &str) -> PathBuf {
        let file = folder.join("list");
        std::fs::write(&file, text).expect("a file is written");
        file
    }

    #[test]
    fn a_list_has_comments_and_patterns() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let here = folder.path();
        for name in ["a/x.c", "a/y.c", "a/z.o", "b/x.c"] {
            std::fs::create_dir_all(here.join(name).parent().expect("a folder")).expect("a folder is made");
            std::fs::write(here.join(name), "").expect("a file is written");
        }
        let at = here.display();
        let list = written(here, &format!("# all\n\n  {at}/?/*.c \r\n{at}/a/z.o\n"));
        let expected = ["a/x.c", "a/y.c", "b/x.c", "a/z.o"].map(|name| here.join(name));
        assert_eq!(args(|args| args.files_from = vec![list]).ok(), Some(expected.to_vec()));
        let list = written(here, &format!("{at}/none*\n"));
        assert!(args(|args| args.files_from = vec![list]).is_err(), "a pattern that means nothing is a mistake");
    }

    #[test]
    fn exact_lists_are_taken_as_they_are() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let list = written(folder.path(), "#a\n b*\n\n");
        assert_eq!(args(|args| args.files_from_verbatim = vec![list]).ok(), Some(["#a", " b*"].map(PathBuf::from).to_vec()));
        let list = written(folder.path(), "a\nb\0c\0");
        assert_eq!(args(|args| args.files_from_raw = vec![list]).ok(), Some(["a\nb", "c"].map(PathBuf::from).to_vec()));
        for cut in ["a\0b", "a\0\0"] {
            let list = written(folder.path(), cut);
            assert!(args(|args| args.files_from_raw = vec![list]).is_err(), "{cut:?}");
        }
        assert!(args(|_| ()).is_err());
    }
}
