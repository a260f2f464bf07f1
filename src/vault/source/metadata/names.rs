//! The names of users and groups, as `/etc/passwd` and `/etc/group` have them. Other sources of names (LDAP and its like) are not asked:
//! they may take for ever, and a number without a name is kept as a number.

use std::collections::HashMap;
use std::fs;

pub(super) struct Names {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
}

impl Names {
    /// Without names where a file cannot be read.
    pub fn of_system() -> Self {
        let of = |path| parse(&fs::read(path).unwrap_or_default());
        Self { users: of("/etc/passwd"), groups: of("/etc/group") }
    }

    /// Empty where the number has no name.
    pub fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_default()
    }

    /// Empty where the number has no name.
    pub fn group(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_default()
    }
}

/// `NAME:PASSWORD:NUMBER:…` a line; of several names of one number, the first.
fn parse(text: &[u8]) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in text.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok()) {
        let mut fields = line.split(':');
        let (name, number) = (fields.next().unwrap_or_default(), fields.nth(1).and_then(|number| number.parse().ok()));
        if let Some(number) = number.filter(|_| !name.is_empty()) {
            names.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_first_name_of_a_number_counts_and_other_lines_do_not() {
        let names = parse(b"root:x:0:0::/:/bin/sh\ntoor:x:0:0\n+::::::\n# no\n\n\xff:x:7:\nann:x:1000\n:x:8:\nbad:x:-1:");
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort();
        assert_eq!(names, [(0, "root".to_owned()), (1000, "ann".to_owned())]);
    }
}
