//! What the machine is, and by what it is known again.
//!
//! Its machine-id and the UUID that its firmware has are hashed into a fingerprint, so that a clone that was given the same state is found
//! out. Only root can read the UUID; without it the machine-id counts alone. Where a machine has neither, as in a container, a number made
//! at random is kept in the state folder: whoever has a copy of that folder then is the same machine.

mod os_release;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::agent::state::file;
use crate::agent::state::{State, StateError};
use crate::wire::channel::Facts;

/// Where machine-id and DMI are looked for instead of `/`: for tests alone, that need two machines in one, or a machine that changes.
const ROOT: &str = "STRONGROOM_MACHINE_ROOT";
/// The id that is kept in the state folder, where the machine has none.
const KEPT: &str = "machine-id";
const MOST_BYTES: u64 = 4096;

/// As a registration or start-up tells it. What cannot be found out is empty.
pub fn facts(state: &State) -> Result<Facts, StateError> {
    let machine_id = match Ids::of(&root()).machine_id {
        Some(id) => id,
        None => kept_id(state.folder())?,
    };
    let (operating_system, operating_system_version) = os_release::read();
    Ok(Facts {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        machine_name: gethostname::gethostname().to_string_lossy().into_owned(),
        host_server_id: as_uuid(&machine_id),
        ip_address: address(if_addrs::get_if_addrs().unwrap_or_default().iter().map(if_addrs::Interface::ip)),
        operating_system,
        operating_system_version,
        architecture: format!("{}-bit", usize::BITS),
    })
}

/// SHA-256 over machine-id and DMI product UUID, in hexadecimal digits: another one means another machine, or a clone.
pub fn fingerprint(state: &State) -> Result<String, StateError> {
    fingerprint_of(&root(), state.folder())
}

fn root() -> PathBuf {
    std::env::var_os(ROOT).filter(|root| !root.is_empty()).map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

fn fingerprint_of(root: &Path, state: &Path) -> Result<String, StateError> {
    let ids = match Ids::of(root) {
        Ids { machine_id: None, product_uuid: None } => Ids { machine_id: Some(kept_id(state)?), product_uuid: None },
        ids => ids,
    };
    let lines = [ids.machine_id, ids.product_uuid].map(Option::unwrap_or_default).join("\n");
    Ok(data_encoding::HEXLOWER.encode(&Sha256::digest(lines)))
}

/// What a machine is known by: in lower case, without white space.
#[derive(Debug)]
struct Ids {
    /// 32 hexadecimal digits (machine-id(5)).
    machine_id: Option<String>,
    product_uuid: Option<String>,
}

impl Ids {
    fn of(root: &Path) -> Self {
        let line = |path: &str| {
            let bytes = file::read(&root.join(path), MOST_BYTES).ok().flatten()?;
            Some(String::from_utf8(bytes).ok()?.trim().to_ascii_lowercase())
        };
        // An image that was never started has an empty one, or `uninitialized`.
        Self {
            machine_id: line("etc/machine-id").filter(|id| is_id(id)),
            product_uuid: line("sys/class/dmi/id/product_uuid").filter(|id| is_uuid(id)),
        }
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) && text.bytes().any(|byte| byte != b'0')
}

/// Firmware that knows none shows zeros, or all bits set.
fn is_uuid(text: &str) -> bool {
    let digits = text.replace('-', "");
    text.len() == 36 && is_id(&digits) && digits.bytes().any(|byte| byte != b'f')
}

/// The id in the state folder, which is made where it is not there.
fn kept_id(state: &Path) -> Result<String, StateError> {
    let path = state.join(KEPT);
    if let Some(bytes) = file::read(&path, MOST_BYTES)? {
        let id = String::from_utf8_lossy(&bytes).trim().to_owned();
        let damaged = || StateError::Damaged { path, why: "32 hexadecimal digits are expected".to_owned() };
        return if is_id(&id) { Ok(id) } else { Err(damaged()) };
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system's random source answers");
    let id = data_encoding::HEXLOWER.encode(&bytes);
    file::replace(&path, format!("{id}\n").as_bytes())?;
    Ok(id)
}

fn as_uuid(id: &str) -> String {
    [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-")
}

/// The first IPv4 address that other machines can use, else the first such IPv6 address.
fn address(addresses: impl Iterator<Item = IpAddr>) -> String {
    let usable: Vec<IpAddr> = addresses.filter(|address| !is_local(address)).collect();
    let first = usable.iter().find(|address| address.is_ipv4()).or_else(|| usable.first());
    first.map(IpAddr::to_string).unwrap_or_default()
}

fn is_local(address: &IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    address.is_loopback() || address.is_unspecified() || is_link_local
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE_ID: &str = "3f1c9a5244bb4f0e8d5d1c7e0a9b8c7d";
    const UUID: &str = "4C4C4544-0042-3510-8050-B9C04F4E3232";

    struct Machine {
        root: tempfile::TempDir,
        state: tempfile::TempDir,
    }

    impl Machine {
        fn new(machine_id: Option<&str>, uuid: Option<&str>) -> Self {
            let machine = Self { root: tempfile::tempdir().expect("a folder"), state: tempfile::tempdir().expect("a folder") };
            for (path, text) in [("etc/machine-id", machine_id), ("sys/class/dmi/id/product_uuid", uuid)] {
                let path = machine.root.path().join(path);
                std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders are made");
                if let Some(text) = text {
                    std::fs::write(path, format!("{text}\n")).expect("a file is written");
                }
            }
            machine
        }

        fn fingerprint(&self) -> String {
            fingerprint_of(self.root.path(), self.state.path()).expect("it is found out")
        }

        fn kept(&self) -> bool {
            self.state.path().join(KEPT).exists()
        }
    }

    #[test]
    fn a_machine_is_known_again_by_its_ids_wherever_its_state_lies() {
        let (one, same) = (Machine::new(Some(MACHINE_ID), Some(UUID)), Machine::new(Some(MACHINE_ID), Some(&UUID.to_lowercase())));
        let expected = Sha256::digest(format!("{MACHINE_ID}\n{}", UUID.to_lowercase()));
        assert_eq!(one.fingerprint(), data_encoding::HEXLOWER.encode(&expected));
        assert_eq!(one.fingerprint(), same.fingerprint());
        assert!(!one.kept());
    }

    #[test]
    fn each_of_the_two_ids_tells_machines_apart() {
        let other_id = MACHINE_ID.replace('3', "4");
        let other_uuid = UUID.replace("0042", "0043");
        let machines = [
            Machine::new(Some(MACHINE_ID), Some(UUID)),
            Machine::new(Some(&other_id), Some(UUID)),
            Machine::new(Some(MACHINE_ID), Some(&other_uuid)),
            Machine::new(Some(MACHINE_ID), None),
            Machine::new(None, Some(UUID)),
        ];
        let known: std::collections::HashSet<String> = machines.iter().map(Machine::fingerprint).collect();
        assert_eq!(known.len(), machines.len());
        assert!(machines.iter().all(|machine| !machine.kept()));
    }

    #[test]
    fn firmware_that_knows_no_uuid_does_not_count() {
        let alone = Machine::new(Some(MACHINE_ID), None).fingerprint();
        let zeros = UUID.replace(|letter: char| letter.is_ascii_hexdigit(), "0");
        for uuid in [&zeros, &zeros.replace('0', "F"), "Not Settable", ""] {
            assert_eq!(Machine::new(Some(MACHINE_ID), Some(uuid)).fingerprint(), alone, "{uuid}");
        }
    }

    #[test]
    fn without_any_id_the_machine_is_whoever_has_the_state() {
        let (one, other) = (Machine::new(None, None), Machine::new(Some("uninitialized"), None));
        let fingerprint = one.fingerprint();
        assert_eq!(fingerprint, one.fingerprint(), "it is kept");
        assert_ne!(fingerprint, other.fingerprint());
        std::fs::copy(one.state.path().join(KEPT), other.state.path().join(KEPT)).expect("it is copied");
        assert_eq!(fingerprint, other.fingerprint());
        std::fs::write(one.state.path().join(KEPT), "cut").expect("it is damaged");
        let error = fingerprint_of(one.root.path(), one.state.path()).expect_err("it is not silently another machine");
        assert!(matches!(error, StateError::Damaged { .. }), "{error}");
    }

    #[test]
    fn the_id_of_the_host_is_a_uuid() {
        assert_eq!(as_uuid(MACHINE_ID), "3f1c9a52-44bb-4f0e-8d5d-1c7e0a9b8c7d");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let kept = kept_id(folder.path()).expect("it is made");
        assert_eq!(kept, kept_id(folder.path()).expect("it is kept"));
    }

    #[test]
    fn the_address_is_one_that_other_machines_can_use() {
        let of = |texts: &[&str]| address(texts.iter().map(|text| text.parse().expect("an address")));
        assert_eq!(of(&["127.0.0.1", "::1", "169.254.3.4", "fe80::1", "2001:db8::7", "203.0.113.7", "10.0.0.4"]), "203.0.113.7");
        assert_eq!(of(&["127.0.0.1", "fe80::1", "2001:db8::7"]), "2001:db8::7");
        assert_eq!(of(&["127.0.0.1", "::1"]), "");
    }

    #[test]
    fn this_machine_has_facts() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let begun = State::begin(folder.path(), crate::model::instant::Instant::from_seconds(0)).expect("it begins");
        let facts = facts(&begun.state).expect("they are found out");
        assert_eq!((facts.agent_version.as_str(), facts.architecture.as_str()), (env!("CARGO_PKG_VERSION"), "64-bit"));
        assert!(!facts.machine_name.is_empty() && !facts.operating_system.is_empty() && is_uuid(&facts.host_server_id), "{facts:?}");
        assert_eq!(fingerprint(&begun.state).expect("it is found out").len(), 64);
    }
}
