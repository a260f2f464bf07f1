//! Who runs the command, as snapshots, keys and locks name it.

use crate::vault::keys::Maker;

/// This user and this host, by its name.
pub fn this() -> Maker {
    Maker { username: username(), hostname: hostname() }
}

pub fn hostname() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// From `/etc/passwd`; empty where that has no name for this user's number.
fn username() -> String {
    let uid = rustix::process::getuid().as_raw();
    let text = std::fs::read("/etc/passwd").unwrap_or_default();
    name_of(&String::from_utf8_lossy(&text), uid)
}

fn name_of(passwd: &str, uid: u32) -> String {
    let of = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    };
    passwd.lines().find_map(of).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_name_of_its_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\nann:x:1000:1000::/home/ann:\nbad\n";
        assert_eq!(["root", "ann", ""].map(str::to_owned), [0, 1000, 7].map(|uid| name_of(passwd, uid)));
        assert!(!hostname().is_empty());
    }
}
