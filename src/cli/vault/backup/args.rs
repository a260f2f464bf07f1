//! The options of `vault backup`, with restic's names and meanings.

use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;
use crate::cli::vault::moment;
use crate::cli::vault::patterns::ExcludeArgs;
use crate::cli::vault::repository::RepositoryArgs;
use crate::cli::vault::sources::SourceArgs;
use crate::vault::compression::Compression;
use crate::vault::source::exclude::{Exclude, TagFile, parse_size_bytes};
use crate::vault::source::stamp::Ignored;

#[derive(clap::Args)]
pub struct Backup {
    #[command(flatten)]
    pub(super) sources: SourceArgs,
    #[command(flatten)]
    patterns: ExcludeArgs,
    /// Leave out what is in a folder with a CACHEDIR.TAG, but for that file
    #[arg(long)]
    exclude_caches: bool,
    /// Leave out what is in a folder that holds this file, but for that file; with a header, only where the file begins so
    #[arg(long, value_name = "NAME[:HEADER]")]
    exclude_if_present: Vec<String>,
    /// Leave out files of more bytes than this, such as 100M
    #[arg(long, value_name = "SIZE", value_parser = size)]
    exclude_larger_than: Option<u64>,
    /// Stay on the file systems of what is named
    #[arg(short = 'x', long)]
    one_file_system: bool,
    /// Tags of the snapshot
    #[arg(long = "tag", value_name = "TAG[,TAG…]")]
    tags: Vec<String>,
    /// The host that the snapshot names [default: this one]
    #[arg(short = 'H', long, value_name = "HOST", env = "STRONGROOM_HOST", hide_env_values = true)]
    pub(super) host: Option<String>,
    /// Compare with this snapshot [default: the newest of this host and these paths]
    #[arg(long, value_name = "SNAPSHOT")]
    pub(super) parent: Option<String>,
    /// Read every file, also those that have not changed since the parent
    #[arg(short, long)]
    pub(super) force: bool,
    /// Keep times of access, too
    #[arg(long)]
    pub(super) with_atime: bool,
    /// A file whose time of status change alone is another counts as unchanged
    #[arg(long)]
    ignore_ctime: bool,
    /// A file whose inode and time of status change alone are others counts as unchanged
    #[arg(long)]
    ignore_inode: bool,
    /// How hard file contents are compressed
    #[arg(long, value_name = "MODE", default_value = "auto", env = "STRONGROOM_COMPRESSION", hide_env_values = true)]
    pub(super) compression: Compressing,
    /// Write nothing: say what would be done
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Make no snapshot where nothing has changed since the parent
    #[arg(long)]
    pub(super) skip_if_unchanged: bool,
    /// The time that the snapshot names, such as "2026-11-20 12:00:00" [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub(super) time: Option<jiff::Timestamp>,
    #[command(flatten)]
    pub(super) repository: RepositoryArgs,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Compressing {
    /// zstd at level 3, where it makes a chunk at least 3 % shorter
    Auto,
    /// None, but of folders' entries
    Off,
    /// zstd at level 19: many times the work
    Max,
}

impl From<Compressing> for Compression {
    fn from(wish: Compressing) -> Self {
        match wish {
            Compressing::Auto => Self::Auto,
            Compressing::Off => Self::Off,
            Compressing::Max => Self::Max,
        }
    }
}

fn size(text: &str) -> Result<u64, String> {
    parse_size_bytes(text).map_err(|error| error.to_string())
}

impl Backup {
    /// What is left out, and the patterns of it as texts.
    pub(super) fn exclude(&self) -> Result<(Exclude, Vec<String>), Failure> {
        let given = self.patterns.given()?;
        let mut tag_files = Vec::new();
        if self.exclude_caches {
            tag_files.push(TagFile::of_caches());
        }
        for text in &self.exclude_if_present {
            tag_files.push(TagFile::parse(text.as_bytes()).map_err(|error| Failure::usage(error.to_string()))?);
        }
        let exclude = Exclude {
            patterns: given.lists,
            tag_files,
            larger_than_bytes: self.exclude_larger_than,
            one_file_system: self.one_file_system,
        };
        Ok((exclude, given.texts))
    }

    pub(super) const fn ignored(&self) -> Ignored {
        Ignored { ctime: self.ignore_ctime || self.ignore_inode, inode: self.ignore_inode }
    }

    pub(super) fn tags(&self) -> Vec<String> {
        let all = self.tags.iter().flat_map(|list| list.split(','));
        all.map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
    }
}

/// The path from the root, without `.` and `..`, as restic names what it saved.
pub(super) fn absolute(path: &Path) -> PathBuf {
    use std::path::Component;
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut clean = PathBuf::new();
    for component in whole.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_names_whole_paths() {
        let here = std::env::current_dir().expect("a working directory");
        for (given, whole) in [("/a/./b/../c/", PathBuf::from("/a/c")), ("x", here.join("x")), (".", here), ("/..", PathBuf::from("/"))] {
            assert_eq!(absolute(Path::new(given)), whole, "{given}");
        }
    }
}
