//! One line of a selection.

use super::path::ItemPath;

/// What a client takes the path for. Only what is on disk decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ItemType {
    File = 0,
    Folder = 1,
    /// Kept, but never backed up.
    Database = 2,
}

/// Which list an item is in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Filter {
    Include = 1,
    Exclude = 2,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    pub file_id: i64,
    pub item_type: ItemType,
    pub path: ItemPath,
}

impl ItemType {
    pub const ALL: [Self; 3] = [Self::File, Self::Folder, Self::Database];

    pub const fn number(self) -> i64 {
        self as i64
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Folder => "Folder",
            Self::Database => "Database",
        }
    }

    /// By name in any case, or by number.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text) || kind.number().to_string() == text)
    }
}

impl Filter {
    pub const ALL: [Self; 2] = [Self::Include, Self::Exclude];

    pub const fn number(self) -> i64 {
        self as i64
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Include => "Include",
            Self::Exclude => "Exclude",
        }
    }

    /// By name in any case, or by number.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text) || kind.number().to_string() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_filters_have_names_and_numbers() {
        let types = [("0", "file", ItemType::File), ("1", "FOLDER", ItemType::Folder), ("2", "Database", ItemType::Database)];
        for (number, name, kind) in types {
            assert_eq!((ItemType::parse(number), ItemType::parse(name)), (Some(kind), Some(kind)));
        }
        for (number, name, filter) in [("1", "include", Filter::Include), ("2", "EXCLUDE", Filter::Exclude)] {
            assert_eq!((Filter::parse(number), Filter::parse(name)), (Some(filter), Some(filter)));
        }
        for text in ["", "3", "-1", "01", "Included", "0 "] {
            assert_eq!((ItemType::parse(text), Filter::parse(text)), (None, None), "{text:?}");
        }
        assert_eq!(Filter::parse("0"), None);
    }
}
