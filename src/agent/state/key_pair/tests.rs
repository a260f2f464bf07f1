//! The pair beside OpenSSL, which is how users' tools read the public key and encrypt for it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{KeyPair, NoKey, NotForUs, PRIVATE_FILE, PUBLIC_FILE};

/// Both files in a folder of their own; `None` where OpenSSL is not installed, which it says.
fn saved(pair: &KeyPair) -> Option<tempfile::TempDir> {
    if Command::new("openssl").arg("version").output().is_err() {
        assert_ne!(std::env::var("STRONGROOM_TEST_TOOLS").as_deref(), Ok("required"), "a tool is missing: openssl");
        writeln!(std::io::stderr().lock(), "SKIPPED: openssl is not installed").unwrap();
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    pair.save(|name, bytes| std::fs::write(folder.path().join(name), bytes)).unwrap();
    Some(folder)
}

/// What OpenSSL prints for this input.
fn openssl(folder: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The input encrypted for the public key, in hexadecimal digits.
fn encrypted(folder: &Path, padding: &str, input: &[u8]) -> String {
    let padding = format!("rsa_padding_mode:{padding}");
    let arguments = ["pkeyutl", "-encrypt", "-pubin", "-inkey", PUBLIC_FILE, "-pkeyopt", &padding];
    data_encoding::HEXLOWER.encode(&openssl(folder, &arguments, input))
}

#[test]
fn openssl_reads_both_files_and_sees_the_key_that_is_registered() {
    let pair = KeyPair::generate();
    let Some(folder) = saved(&pair) else { return };
    let key = pair.public();
    let modulus = openssl(folder.path(), &["rsa", "-pubin", "-in", PUBLIC_FILE, "-noout", "-modulus"], b"");
    assert_eq!(String::from_utf8(modulus).unwrap().trim_end(), format!("Modulus={}", key.modulus_hex.to_uppercase()));
    let public = openssl(folder.path(), &["pkey", "-in", PRIVATE_FILE, "-pubout"], b"");
    assert_eq!(String::from_utf8(public).unwrap(), pair.public_pem());
    let check = openssl(folder.path(), &["pkey", "-in", PRIVATE_FILE, "-check", "-noout"], b"");
    assert!(String::from_utf8(check).unwrap().contains("Key is valid"));
}

#[test]
fn a_new_pair_is_registered_in_512_lower_case_digits_with_65537() {
    let key = KeyPair::generate().public();
    assert_eq!((key.modulus_hex.len(), key.exponent), (512, 65537));
    assert_eq!(key.modulus_hex, key.modulus_hex.to_ascii_lowercase());
    assert!(key.into_model().is_some(), "the server takes it");
}

#[test]
fn what_openssl_encrypts_is_set_and_checked() {
    let pair = KeyPair::generate();
    let Some(folder) = saved(&pair) else { return };
    let again = KeyPair::from_pem(&std::fs::read(folder.path().join(PRIVATE_FILE)).unwrap()).unwrap();
    assert_eq!((again.public(), again.public_pem()), (pair.public(), pair.public_pem()));
    let longest = "é".repeat(122) + "x";
    for passphrase in ["a", "correct horse battery staple", " Grüße 🔑\n", &longest] {
        let hex = encrypted(folder.path(), "pkcs1", passphrase.as_bytes());
        for (pair, hex) in [(&pair, hex.clone()), (&again, hex.to_uppercase())] {
            assert_eq!(pair.decrypt_to_set(&hex).unwrap().reveal(), passphrase);
            assert_eq!(pair.decrypt_to_check(&hex).reveal(), passphrase);
        }
    }
}

#[test]
fn what_cannot_be_decrypted_sets_nothing_and_is_checked_as_a_text_that_nobody_knows() {
    let pair = KeyPair::generate();
    let Some(folder) = saved(&pair) else { return };
    let Some(stranger) = saved(&KeyPair::generate()) else { return };
    let good = encrypted(folder.path(), "pkcs1", b"secret");
    // As PKCS#1 pads it, but with seven random bytes in place of at least eight: room for 246.
    let tight = [&[0, 2, 1, 1, 1, 1, 1, 1, 1, 0][..], &[b'x'; 246]].concat();
    let bad = [
        ("for another key", encrypted(stranger.path(), "pkcs1", b"secret")),
        ("OAEP", encrypted(folder.path(), "oaep", b"secret")),
        ("empty", encrypted(folder.path(), "pkcs1", b"")),
        ("no UTF-8", encrypted(folder.path(), "pkcs1", b"caf\xe9")),
        ("246 bytes", encrypted(folder.path(), "none", &tight)),
        ("cut", good[..510].to_owned()),
        ("too long", format!("{good}00")),
        ("no digits", good.replace(|digit: char| digit.is_ascii_digit(), "g")),
        ("nothing", String::new()),
        ("zero", "0".repeat(512)),
        ("above the modulus", "f".repeat(512)),
    ];
    for (what, hex) in bad {
        assert_eq!(pair.decrypt_to_set(&hex).err(), Some(NotForUs), "{what}");
        let [one, other] = [(); 2].map(|()| pair.decrypt_to_check(&hex));
        assert_eq!((one.reveal().len(), one == other), (64, false), "{what}");
    }
}

#[test]
fn what_is_no_private_key_of_2048_bits_is_refused() {
    let pair = KeyPair::generate();
    let text = pair.private_pem();
    let cut = &text.reveal()[..text.reveal().len() / 2];
    for bad in ["", "secret", cut, &pair.public_pem()] {
        assert_eq!(KeyPair::from_pem(bad.as_bytes()).err(), Some(NoKey));
    }
    let Some(folder) = saved(&pair) else { return };
    let long = openssl(folder.path(), &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"], b"");
    let curve = openssl(folder.path(), &["genpkey", "-algorithm", "ED25519"], b"");
    assert_eq!([long, curve].map(|pem| KeyPair::from_pem(&pem).err()), [Some(NoKey); 2]);
}

#[test]
fn the_private_file_comes_first_and_what_prints_holds_no_key() {
    let pair = KeyPair::generate();
    let mut files = Vec::new();
    let written = pair.save(|name, bytes| {
        files.push((name.to_owned(), bytes.to_vec()));
        if files.len() == 2 { Err("the disk is full") } else { Ok(()) }
    });
    assert_eq!(written, Err("the disk is full"));
    assert_eq!(files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), [PRIVATE_FILE, PUBLIC_FILE]);
    assert!(files[0].1.starts_with(b"-----BEGIN PRIVATE KEY-----\n") && files[1].1.starts_with(b"-----BEGIN PUBLIC KEY-----\n"));
    let printed = format!("{pair:?} {:?} {NoKey} {NotForUs}", pair.private_pem());
    assert!(printed.starts_with("KeyPair(redacted) redacted "), "{printed}");
    for line in String::from_utf8(files[0].1.clone()).unwrap().lines().filter(|line| !line.starts_with('-')) {
        assert!(!printed.contains(line));
    }
}
