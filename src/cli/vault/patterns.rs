//! What is left out and what is taken: restic's options of patterns.

use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;
use crate::vault::restore::Decision;
use crate::vault::source::pattern::{PatternError, Patterns, lines_of};

#[derive(clap::Args)]
pub struct ExcludeArgs {
    /// Leave out what this pattern means: `*.o`, `/var/cache`, `**/node_modules`
    #[arg(short, long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// The same, and upper and lower case are one
    #[arg(long, value_name = "PATTERN")]
    iexclude: Vec<String>,
    /// Leave out what the patterns of this file mean, one a line
    #[arg(long, value_name = "FILE")]
    exclude_file: Vec<PathBuf>,
    /// The same, and upper and lower case are one
    #[arg(long, value_name = "FILE")]
    iexclude_file: Vec<PathBuf>,
}

#[derive(clap::Args)]
pub struct IncludeArgs {
    /// Take only what this pattern means, with all below it
    #[arg(short, long, value_name = "PATTERN")]
    include: Vec<String>,
    /// The same, and upper and lower case are one
    #[arg(long, value_name = "PATTERN")]
    iinclude: Vec<String>,
    /// Take only what the patterns of this file mean, one a line
    #[arg(long, value_name = "FILE")]
    include_file: Vec<PathBuf>,
    /// The same, and upper and lower case are one
    #[arg(long, value_name = "FILE")]
    iinclude_file: Vec<PathBuf>,
}

/// Patterns as they were given, those of files behind the others.
pub struct Given {
    /// Their texts, for a snapshot to say.
    pub texts: Vec<String>,
    /// Up to two lists: one of them keeps upper and lower case apart.
    pub lists: Vec<Patterns>,
}

impl ExcludeArgs {
    pub fn given(&self) -> Result<Given, Failure> {
        Given::of((&self.exclude, &self.exclude_file), (&self.iexclude, &self.iexclude_file))
    }
}

impl IncludeArgs {
    pub fn given(&self) -> Result<Given, Failure> {
        Given::of((&self.include, &self.include_file), (&self.iinclude, &self.iinclude_file))
    }
}

type Options<'a> = (&'a [String], &'a [PathBuf]);

impl Given {
    fn of(exact: Options<'_>, any_case: Options<'_>) -> Result<Self, Failure> {
        let (exact, any_case) = (all_of(exact)?, all_of(any_case)?);
        let wrong = |error: PatternError| Failure::usage(error.to_string());
        let mut lists = Vec::new();
        if !exact.is_empty() {
            lists.push(Patterns::parse(&exact).map_err(wrong)?);
        }
        if !any_case.is_empty() {
            lists.push(Patterns::parse_ignoring_case(&any_case).map_err(wrong)?);
        }
        let texts = exact.iter().chain(&any_case).map(|text| String::from_utf8_lossy(text).into_owned()).collect();
        Ok(Self { texts, lists })
    }

    pub const fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// What a restore does with an entry where these are left out.
    pub fn excluding(&self, path: &[u8]) -> Decision {
        if self.lists.iter().any(|list| list.matches(path)) { Decision::Skip } else { Decision::Take }
    }

    /// What a restore does with an entry where only these are taken.
    pub fn including(&self, path: &[u8], is_folder: bool) -> Decision {
        let mut decision = Decision::Skip;
        for matched in self.lists.iter().map(|list| list.matches_or_may_below(path)) {
            if matched.is_matched {
                return Decision::Take;
            }
            if matched.may_match_below && is_folder {
                decision = Decision::DescendOnly;
            }
        }
        decision
    }
}

fn all_of((patterns, files): Options<'_>) -> Result<Vec<Vec<u8>>, Failure> {
    let mut all: Vec<Vec<u8>> = patterns.iter().map(|pattern| pattern.as_bytes().to_vec()).collect();
    for file in files {
        all.extend(lines_of(&read(file)?, variable));
    }
    Ok(all)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::because(format!("cannot read the patterns in {}", file.display()), &error))
}

fn variable(name: &[u8]) -> Option<Vec<u8>> {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt};
    // A name with `=` or NUL in it would be no name.
    let is_name = !name.is_empty() && !name.contains(&b'=') && !name.contains(&0);
    std::env::var_os(std::ffi::OsStr::from_bytes(name)).filter(|_| is_name).map(OsStringExt::into_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(exact: &[&str], any_case: &[&str]) -> Given {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Given::of((&texts(exact), &[]), (&texts(any_case), &[])).expect("good patterns")
    }

    #[test]
    fn what_is_included_is_taken_and_the_way_to_it_is_looked_through() {
        let given = given(&["/a/b"], &["*.TXT"]);
        for (path, is_folder, decision) in [
            ("/a/b", true, Decision::Take),
            ("/a/b/c", false, Decision::Take),
            ("/a", true, Decision::DescendOnly),
            ("/a", false, Decision::Skip),
            ("/c/x.txt", false, Decision::Take),
            ("/c/x", false, Decision::Skip),
        ] {
            assert_eq!(given.including(path.as_bytes(), is_folder), decision, "{path}");
        }
    }

    #[test]
    fn what_is_excluded_is_skipped() {
        let given = given(&["*.o"], &["/TMP"]);
        assert_eq!([b"/a/x.o", b"/tmp/x", b"/a/x.O"].map(|path| given.excluding(path)), [Decision::Skip, Decision::Skip, Decision::Take]);
        assert_eq!(given.texts, ["*.o", "/TMP"]);
    }

    #[test]
    fn a_malformed_pattern_is_wrong_usage() {
        let failure = Given::of((&["[a".to_owned()], &[]), (&[], &[])).err().expect("it is malformed");
        assert_eq!(format!("{:?}", failure.exit_code()), "ExitCode(unix_exit_status(2))");
    }
}
