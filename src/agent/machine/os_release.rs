//! Name and version of the operating system, as `os-release` tells them (os-release(5)).

/// The first that is there counts.
const PLACES: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

/// Name and version; a system that tells no name is called by its kernel.
pub fn read() -> (String, String) {
    let text = PLACES.iter().find_map(|place| std::fs::read_to_string(place).ok()).unwrap_or_default();
    let kernel = rustix::system::uname();
    let or = |told: Option<String>, kernel: &std::ffi::CStr| told.unwrap_or_else(|| kernel.to_string_lossy().into_owned());
    let version = value(&text, "VERSION_ID").or_else(|| value(&text, "BUILD_ID"));
    (or(value(&text, "NAME"), kernel.sysname()), or(version, kernel.release()))
}

/// A value that is not empty, without quotes and backslashes.
fn value(text: &str, name: &str) -> Option<String> {
    let line = text.lines().rev().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix('='))?.trim();
    let quoted = ['"', '\''].iter().find_map(|quote| line.strip_prefix(*quote)?.strip_suffix(*quote));
    let mut letters = quoted.unwrap_or(line).chars();
    let mut value = String::new();
    while let Some(letter) = letters.next() {
        value.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_a_shell_reads_them() {
        let text =
            "# NAME=\"No\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\nNAME=\"A \\\"B\\\" \\$5\"\nVERSION_ID='12'\nID=debian\nEMPTY=\"\"\n";
        let read = ["NAME", "VERSION_ID", "ID", "EMPTY", "BUILD_ID"].map(|name| value(text, name));
        assert_eq!(read, [Some("A \"B\" $5".to_owned()), Some("12".to_owned()), Some("debian".to_owned()), None, None]);
    }

    #[test]
    fn every_system_has_a_name_and_a_version() {
        let (name, version) = read();
        assert!(!name.is_empty() && !version.is_empty(), "{name} {version}");
    }
}
