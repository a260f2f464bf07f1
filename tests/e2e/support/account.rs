//! An account as its owner uses it: an access URL and curl.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use super::answer::Answer;
use super::curl::curl;
use super::tree;

/// Where a server is reached, and the certificate that it is believed by.
#[derive(Clone, Debug)]
pub struct Site {
    /// `http://localhost:PORT` or `https://localhost:PORT`; another port after each start.
    pub(super) origin: Arc<RwLock<String>>,
    pub certificate: Option<PathBuf>,
}

impl Site {
    pub fn origin(&self) -> String {
        let origin = self.origin.read().expect("nobody panics while holding the origin").clone();
        assert!(!origin.is_empty(), "the server is not running");
        origin
    }

    pub(super) fn move_to(&self, origin: String) {
        *self.origin.write().expect("nobody panics while holding the origin") = origin;
    }

    /// Nothing is served any more.
    pub(super) fn forget(&self) {
        // Port 9 refuses: what a client asks meanwhile fails as it does for real.
        self.move_to("http://localhost:9".to_owned());
    }

    /// curl without credentials; `path` is appended to the origin as it is.
    pub fn curl<A: AsRef<std::ffi::OsStr>>(&self, arguments: &[A], path: &str) -> Answer {
        let mut all: Vec<OsString> = arguments.iter().map(|argument| argument.as_ref().to_owned()).collect();
        if let Some(certificate) = &self.certificate {
            all.push("--cacert".into());
            all.push(certificate.into());
        }
        all.push(format!("{}{path}", self.origin()).into());
        curl(all)
    }
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub size: u64,
    pub createtime: i64,
    pub deletetime: Option<i64>,
    pub sha256: String,
    pub damaged: bool,
}

/// Who holds an access URL.
#[derive(Clone, Debug)]
pub struct Account {
    pub site: Site,
    pub user: String,
    pub password: String,
}

impl Account {
    /// From an access URL; `None` when it does not have the shape that clients rely on.
    pub fn from_access_url(site: &Site, url: &str) -> Option<Self> {
        let (user, rest) = url.strip_prefix("https://")?.split_once(':')?;
        let (password, host) = rest.split_once('@')?;
        let host = host.strip_suffix('/')?;
        let is_host = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        let (name, port) = host.split_once(':').unwrap_or((host, "1"));
        let fits = user.len() == 6
            && user.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            && password.len() == 22
            && password.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && is_host(name)
            && port.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| Self { site: site.clone(), user: user.to_owned(), password: password.to_owned() })
    }

    pub fn credentials(&self) -> String {
        format!("{}:{}", self.user, self.password)
    }

    /// The value of its `Authorization` header.
    pub fn basic(&self) -> String {
        format!("Basic {}", data_encoding::BASE64.encode(self.credentials().as_bytes()))
    }

    /// The origin with the credentials in it, for programs that take one URL.
    pub fn url(&self, path: &str) -> String {
        let origin = self.site.origin();
        let (scheme, host) = origin.split_once("://").expect("an origin has a scheme");
        format!("{scheme}://{}@{host}{path}", self.credentials())
    }

    pub fn with_password(&self, password: &str) -> Self {
        Self { password: password.to_owned(), ..self.clone() }
    }

    /// curl with this account's credentials; `path` goes into the URL as it is.
    pub fn curl<A: AsRef<std::ffi::OsStr>>(&self, arguments: &[A], path: &str) -> Answer {
        let mut all: Vec<OsString> = vec!["-u".into(), self.credentials().into()];
        all.extend(arguments.iter().map(|argument| argument.as_ref().to_owned()));
        self.site.curl(&all, path)
    }

    pub fn put(&self, path: &str, bytes: impl AsRef<[u8]>) -> Answer {
        self.put_with(&[], path, bytes)
    }

    /// PUT with more arguments for curl.
    pub fn put_with(&self, arguments: &[&str], path: &str, bytes: impl AsRef<[u8]>) -> Answer {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("upload");
        std::fs::write(&file, bytes).expect("the upload is written");
        self.put_file(arguments, path, &file)
    }

    pub fn put_file(&self, arguments: &[&str], path: &str, file: &Path) -> Answer {
        let mut all: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        all.push("-T".into());
        all.push(file.into());
        self.curl(&all, path)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.curl::<&str>(&[], path)
    }

    pub fn head(&self, path: &str) -> Answer {
        self.curl(&["-I"], path)
    }

    /// GET with one header more.
    pub fn get_with(&self, header: &str, path: &str) -> Answer {
        self.curl(&["-H", header], path)
    }

    /// The whole list, with its JSON taken apart.
    #[track_caller]
    pub fn list(&self) -> Vec<Listed> {
        listed(self.get("/").expect(200))
    }

    #[track_caller]
    pub fn names(&self) -> Vec<String> {
        self.list().into_iter().map(|file| file.name).collect()
    }

    /// Stores a file and insists that it was stored.
    #[track_caller]
    pub fn store(&self, path: &str, bytes: impl AsRef<[u8]>) {
        self.put(path, bytes).expect(201);
    }

    /// Reads a file back and insists on its bytes.
    #[track_caller]
    pub fn expect_file(&self, path: &str, bytes: &[u8]) {
        let answer = self.get(path);
        answer.expect(200).expect_body(bytes).expect_header("etag", &format!("\"{}\"", tree::sha256(bytes)));
        assert_eq!(answer.exit, 0, "{answer:?}");
    }

    /// Makes a session and returns its path, `/session/TOKEN/`.
    #[track_caller]
    pub fn make_session(&self) -> String {
        let answer = self.curl(&["-X", "POST", "-H", "X-HTTP-Method-Override: MAKESESSION"], "/");
        let location = answer.expect(204).header("location").expect("a session has a location").to_owned();
        let path = location.find("/session/").map(|at| location[at..].to_owned()).expect("a session's path");
        assert!(path.len() == "/session/".len() + 23 && path.ends_with('/'), "{path}");
        path
    }
}

/// The JSON of a list, taken apart.
#[track_caller]
pub fn listed(answer: &Answer) -> Vec<Listed> {
    let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error} in {answer:?}"));
    let read = |file: &serde_json::Value| {
        Some(Listed {
            name: file.get("name")?.as_str()?.to_owned(),
            size: file.get("size")?.as_u64()?,
            createtime: file.get("createtime")?.as_i64()?,
            deletetime: file.get("deletetime")?.as_i64(),
            sha256: file.get("sha256")?.as_str()?.to_owned(),
            damaged: file.get("damaged").is_some_and(|damaged| damaged == true),
        })
    };
    let files = value.as_array().expect("the list is an array");
    files.iter().map(|file| read(file).unwrap_or_else(|| panic!("a field is missing in {file}"))).collect()
}
