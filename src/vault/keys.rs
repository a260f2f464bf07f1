//! Key files: the master key, sealed with what scrypt (RFC 7914) makes of a password. A repository may have several; each opens it. The
//! file itself is plain JSON (`doc/design.rst`, "Keys, Encryption and MAC").

use std::time::{Duration, Instant};

use rayon::ThreadPoolBuilder;
use serde::{Deserialize, Serialize};

use super::crypto::{KeyBytes, Sealer, random};
use super::error::Error;
use super::id::Id;

/// What a new key file asks of whoever guesses passwords: r = 8 and N = 2^15, 32 MiB, as often (p) as takes a quarter of a second of a
/// processor here. Two passes go on at once, so it takes half of that to open one.
const LOG_N: u8 = 15;
const R: u32 = 8;
const LEAST_TIME: Duration = Duration::from_millis(250);
/// What is asked of tests, which make and open thousands of keys.
const LOG_N_OF_TESTS: u8 = 8;
/// Memory that a key file may ask for: 128 · N · r bytes. restic's own stay below 60 MiB.
const MOST_MEMORY: u64 = 1 << 30;
/// Memory that two passes may take together where they go on at once.
const MOST_MEMORY_OF_TWO: u64 = 64 << 20;
/// Passes over memory, p · N, that a key file may ask for: somebody who may write there could else keep everybody waiting.
const MOST_WORK: u64 = 1 << 24;

/// A password; prints redacted.
#[derive(Clone)]
pub struct Password(String);

/// A key file.
#[derive(Serialize, Deserialize)]
pub struct KeyFile {
    /// When, by the clock of whoever made it. rustic says none of these three.
    #[serde(default)]
    pub created: String,
    #[serde(default)]
    pub username: String,
    #[serde(default)]
    pub hostname: String,
    kdf: String,
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
    #[serde(with = "base64")]
    salt: Vec<u8>,
    #[serde(with = "base64")]
    data: Vec<u8>,
}

/// Who makes a key, as it says itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Maker {
    pub username: String,
    pub hostname: String,
}

/// The master key as it is sealed in a key file.
#[derive(Serialize, Deserialize)]
struct MasterJson {
    mac: MacJson,
    #[serde(with = "base64")]
    encrypt: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct MacJson {
    #[serde(with = "base64")]
    k: Vec<u8>,
    #[serde(with = "base64")]
    r: Vec<u8>,
}

impl Password {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Password(redacted)")
    }
}

impl KeyFile {
    /// Seals the master key with a password. Takes up to a quarter of a second, or a half where it is the process's first.
    pub fn new(master: &KeyBytes, password: &Password, maker: Maker) -> Self {
        let mut salt = vec![0; 64];
        random(&mut salt);
        let mut file = Self {
            created: jiff::Timestamp::now().to_string(),
            username: maker.username,
            hostname: maker.hostname,
            kdf: "scrypt".to_owned(),
            n: 1 << log_n(),
            r: R,
            p: passes(),
            salt,
            data: Vec::new(),
        };
        let user = file.derive(password).expect("these parameters are allowed");
        let json = MasterJson { mac: MacJson { k: master.mac_k.to_vec(), r: master.mac_r.to_vec() }, encrypt: master.encrypt.to_vec() };
        file.data = Sealer::new(&user).seal(&serde_json::to_vec(&json).expect("its keys are texts"));
        file
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("its keys are texts")
    }

    /// [`Error::Damaged`] for what is no key file; `id` is for that error alone.
    pub fn parse(bytes: &[u8], id: &Id) -> Result<Self, Error> {
        serde_json::from_slice(bytes).map_err(|error| Error::damaged(format!("key {}", id.short()), error.to_string()))
    }

    /// The master key. [`Error::WrongPassword`] where the password is another, and where the key file is damaged: nobody can tell
    /// one from the other. A file that asks for more memory or time than any honest one opens with no password.
    pub fn open(&self, password: &Password) -> Result<KeyBytes, Error> {
        let user = self.derive(password).ok_or(Error::WrongPassword)?;
        let mut data = self.data.clone();
        let plain = Sealer::new(&user).open_in_place(&mut data).map_err(|_| Error::WrongPassword)?;
        let json: MasterJson = serde_json::from_slice(plain).map_err(|_| Error::WrongPassword)?;
        let (encrypt, mac_k, mac_r) = (json.encrypt.try_into(), json.mac.k.try_into(), json.mac.r.try_into());
        match (encrypt, mac_k, mac_r) {
            (Ok(encrypt), Ok(mac_k), Ok(mac_r)) => Ok(KeyBytes { encrypt, mac_k, mac_r }),
            _ => Err(Error::WrongPassword),
        }
    }

    fn derive(&self, password: &Password) -> Option<KeyBytes> {
        let is_allowed = self.kdf == "scrypt"
            && self.n.is_power_of_two()
            && self.n.checked_mul(128 * u64::from(self.r)).is_some_and(|bytes| bytes <= MOST_MEMORY)
            && self.n.checked_mul(u64::from(self.p)).is_some_and(|work| work <= MOST_WORK);
        if !is_allowed {
            return None;
        }
        let log_n = u8::try_from(self.n.ilog2()).expect("a logarithm of 64 bits");
        derive(password, &self.salt, log_n, self.r, self.p)
    }
}

fn derive(password: &Password, salt: &[u8], log_n: u8, r: u32, p: u32) -> Option<KeyBytes> {
    let parameters = scrypt::Params::new(log_n, r, p).ok()?;
    let threads = ThreadPoolBuilder::new().num_threads(passes_at_once(log_n, r)).build().expect("there are threads");
    let mut bytes = [0; 64];
    threads.install(|| scrypt::scrypt(password.0.as_bytes(), salt, &parameters, &mut bytes)).ok()?;
    Some(KeyBytes::from_bytes(&bytes))
}

/// How many passes may have their memory at the same time: those of our own keys take 64 MiB together, and others' are seldom of several.
fn passes_at_once(log_n: u8, r: u32) -> usize {
    if (u64::from(r) * 128) << log_n <= MOST_MEMORY_OF_TWO / 2 { 2 } else { 1 }
}

const fn log_n() -> u8 {
    if cfg!(test) { LOG_N_OF_TESTS } else { LOG_N }
}

/// How many passes take [`LEAST_TIME`] on this machine; measured once.
fn passes() -> u32 {
    if cfg!(test) {
        return 1;
    }
    static PASSES: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *PASSES.get_or_init(|| {
        let begin = Instant::now();
        derive(&Password::new("measured"), b"salt", LOG_N, R, 1).expect("these parameters are allowed");
        passes_of(begin.elapsed())
    })
}

/// How many passes of this time each take [`LEAST_TIME`]: one on the slowest machine, and no more than still end soon on another one.
fn passes_of(one: Duration) -> u32 {
    let one = one.as_secs_f64().max(0.001);
    ((LEAST_TIME.as_secs_f64() / one).ceil() as u32).clamp(1, 32)
}

mod base64 {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        data_encoding::BASE64.decode(text.as_bytes()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text)
    }

    #[test]
    fn a_key_file_opens_with_its_password_alone() {
        let master = KeyBytes::random();
        let file = KeyFile::new(&master, &password("right"), Maker { username: "ann".to_owned(), hostname: "db1".to_owned() });
        let bytes = file.to_bytes();
        let read = KeyFile::parse(&bytes, &Id::of(&bytes)).unwrap();
        assert!(read.open(&password("right")).unwrap() == master);
        assert!(matches!(read.open(&password("wrong")), Err(Error::WrongPassword)));
        assert_eq!((read.username.as_str(), read.hostname.as_str()), ("ann", "db1"));
        assert_eq!((read.n, (u64::from(R) * 128) << LOG_N), (1 << LOG_N_OF_TESTS, 32 << 20), "but of tests, it takes 32 MiB");
        assert!(read.created.parse::<jiff::Timestamp>().is_ok());
    }

    #[test]
    fn a_damaged_key_is_told_as_a_wrong_password() {
        let mut file = KeyFile::new(&KeyBytes::random(), &password("right"), Maker::default());
        let middle = file.data.len() / 2;
        file.data[middle] ^= 1;
        assert!(matches!(file.open(&password("right")), Err(Error::WrongPassword)));
        file.data.clear();
        assert!(matches!(file.open(&password("right")), Err(Error::WrongPassword)));
    }

    #[test]
    fn a_key_that_asks_for_too_much_is_not_tried() {
        let honest = KeyFile::new(&KeyBytes::random(), &password("right"), Maker::default()).to_bytes();
        let honest: serde_json::Value = serde_json::from_slice(&honest).unwrap();
        for (field, value) in [("N", 1 << 24), ("N", u64::MAX), ("N", 3), ("N", 0), ("p", 1 << 20), ("p", 0), ("r", 1 << 20), ("r", 0)] {
            let mut greedy = honest.clone();
            greedy[field] = value.into();
            let bytes = greedy.to_string().into_bytes();
            let file = KeyFile::parse(&bytes, &Id::of(&bytes)).unwrap();
            assert!(matches!(file.open(&password("right")), Err(Error::WrongPassword)), "{field} {value}");
        }
        for wrong in [&b""[..], b"{}", b"[]", br#"{"created":1}"#] {
            assert!(matches!(KeyFile::parse(wrong, &Id::of(wrong)), Err(Error::Damaged { .. })));
        }
    }

    #[test]
    fn a_key_takes_a_quarter_of_a_second_of_the_machine_that_made_it() {
        let passes = [0, 1, 10, 60, 125, 249, 250, 10_000].map(|each| passes_of(Duration::from_millis(each)));
        assert_eq!(passes, [32, 32, 25, 5, 2, 2, 1, 1]);
    }

    #[test]
    fn passes_go_on_at_once_where_that_takes_no_more_than_64_mib() {
        assert_eq!([(LOG_N, R), (14, 16), (10, 1)].map(|(log_n, r)| passes_at_once(log_n, r)), [2; 3]);
        assert_eq!([(LOG_N + 1, R), (LOG_N, R + 1), (20, 8), (23, 1)].map(|(log_n, r)| passes_at_once(log_n, r)), [1; 4]);
    }

    /// Test vectors 2 and 3 of RFC 7914, section 12.
    #[test]
    fn many_passes_give_what_the_rfc_says() {
        let derived = |text: &str, salt: &[u8], log_n, p| {
            let KeyBytes { encrypt, mac_k, mac_r } = derive(&password(text), salt, log_n, 8, p).unwrap();
            data_encoding::HEXLOWER.encode(&[&encrypt[..], &mac_k, &mac_r].concat())
        };
        let of_16_passes = "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640";
        let of_one = "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887";
        assert_eq!(derived("password", b"NaCl", 10, 16), of_16_passes);
        assert_eq!(derived("pleaseletmein", b"SodiumChloride", 14, 1), of_one);
    }

    /// Made by rustic 0.11, whose keys do not say when and by whom they were made.
    #[test]
    fn a_key_file_of_rustic_opens() {
        let text = br#"{"kdf":"scrypt","N":131072,"r":8,"p":1,"data":"3E7sjs4Ae4Qiks8n8oq/AnuFtCxsis5vCGPpe5gmRwrlf3uYyH0DxgUj1SJQr19IIYHY3RpqQAtHf558zClBGluVAmfXT6unbCm3N/Es+hm1fk34Pml/e7UkCWSbJzWrw5XiIzJIxkdX2doob1oNVMHzrbK2/+hGDAN/5qUViu/vWG/yJwhpzlXQ8WDYWUXRGGWfQwIQff1P/S8HIDqqRQ==","salt":"zlsSpfGNlOvcuWdFcuopxubU8p7TOkJfCJIqKVas56S5MarO5VE82lNhDAJUmHmmtCJn8CYMjKa+RUcVf7rCEw=="}"#;
        let read = KeyFile::parse(text, &Id::of(text)).unwrap();
        assert!(read.open(&password("pw")).is_ok());
        assert_eq!((read.created.as_str(), read.username.as_str(), read.hostname.as_str()), ("", "", ""));
    }

    #[test]
    fn a_password_prints_redacted() {
        assert_eq!(format!("{:?}", password("canary")), "Password(redacted)");
    }
}
