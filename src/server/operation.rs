//! What a request with right credentials does in its account's name space, by method and path alone.

use http::{HeaderMap, Method};

use super::sessions::Maker;
use crate::model::account::Kind;
use crate::model::repository::RepositoryPath;

/// One of the few things that can be done to an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    List,
    Get,
    Put,
    MakeSession(Maker),
    /// Stores, in a vault.
    Post,
    /// Hides, in a vault.
    Delete,
    Options,
    /// 405.
    Refused,
}

impl Operation {
    /// `path` and `query` are still percent-encoded.
    pub fn of(method: &Method, path: &str, query: &str, headers: &HeaderMap) -> Self {
        let is_root = path == "/";
        match method.as_str() {
            "GET" | "HEAD" if is_root => Self::List,
            "GET" | "HEAD" => Self::Get,
            "PUT" => Self::Put,
            "OPTIONS" => Self::Options,
            "MAKESESSION" if is_root => Self::MakeSession(Maker::Program),
            "POST" if is_root && is_overridden(headers) => Self::MakeSession(Maker::Program),
            "POST" if is_root && query == SHARE_QUERY => Self::MakeSession(Maker::Page),
            "POST" => Self::Post,
            "DELETE" => Self::Delete,
            _ => Self::Refused,
        }
    }

    /// What it is for this kind of account: restic's protocol speaks to vaults alone.
    pub const fn within(self, kind: Kind) -> Self {
        match (self, kind) {
            (Self::Post | Self::Delete, Kind::Archive) => Self::Refused,
            _ => self,
        }
    }

    /// Whether something is stored or made. A browser sends Basic credentials along with whatever another site has it ask, so
    /// such a request has to come from our own page or from a program.
    pub const fn changes(self) -> bool {
        match self {
            Self::Put | Self::Post | Self::Delete | Self::MakeSession(_) => true,
            Self::List | Self::Get | Self::Options | Self::Refused => false,
        }
    }
}

fn is_overridden(headers: &HeaderMap) -> bool {
    headers.get("x-http-method-override").is_some_and(|line| line.as_bytes().eq_ignore_ascii_case(b"MAKESESSION"))
}

/// What the button on the list's page asks for: a form cannot send a header.
pub const SHARE_QUERY: &str = "share";

/// The methods that work on a path. PUT is left out where no PUT can succeed.
pub fn allowed(path: &str, kind: Kind) -> &'static str {
    match (path, kind) {
        ("/", _) => "GET, HEAD, POST, OPTIONS, MAKESESSION",
        (_, Kind::Archive) => "GET, HEAD, PUT, OPTIONS",
        (_, Kind::Vault) => match RepositoryPath::parse(path) {
            Some(RepositoryPath::Root(_)) => "POST, OPTIONS",
            Some(RepositoryPath::Config(_)) => "GET, HEAD, POST, OPTIONS",
            Some(RepositoryPath::File(..)) => "GET, HEAD, POST, DELETE, OPTIONS",
            Some(RepositoryPath::Folder(..)) | None => "GET, HEAD, OPTIONS",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn every_method_on_every_kind_of_path_has_its_operation() {
        use Operation as O;
        for (method, root, file) in [
            ("GET", O::List, O::Get),
            ("HEAD", O::List, O::Get),
            ("PUT", O::Put, O::Put),
            ("OPTIONS", O::Options, O::Options),
            ("MAKESESSION", O::MakeSession(Maker::Program), O::Refused),
            ("POST", O::Post, O::Post),
            ("DELETE", O::Delete, O::Delete),
            ("PATCH", O::Refused, O::Refused),
            ("TRACE", O::Refused, O::Refused),
            ("CONNECT", O::Refused, O::Refused),
            ("PROPFIND", O::Refused, O::Refused),
            ("get", O::Refused, O::Refused),
        ] {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            assert_eq!(Operation::of(&method, "/", "", &HeaderMap::new()), root, "{method} /");
            assert_eq!(Operation::of(&method, "/a", "", &HeaderMap::new()), file, "{method} /a");
        }
    }

    #[test]
    fn only_a_post_of_the_list_can_be_overridden() {
        let overridden =
            |name| [("x-http-method-override".parse().expect("a header's name"), HeaderValue::from_static(name))].into_iter().collect();
        let of = |method: &Method, path, query, name| Operation::of(method, path, query, &overridden(name));
        let made = Operation::MakeSession(Maker::Program);
        assert_eq!(of(&Method::POST, "/", "", "MAKESESSION"), made);
        assert_eq!(of(&Method::POST, "/", "", "makesession"), made);
        assert_eq!(of(&Method::POST, "/a", "", "MAKESESSION"), Operation::Post);
        assert_eq!(of(&Method::GET, "/", "", "MAKESESSION"), Operation::List);
        assert_eq!(of(&Method::PUT, "/a", "", "MAKESESSION"), Operation::Put);
        for other in ["DELETE", "PUT", "GET", "", "MAKESESSION, DELETE"] {
            assert_eq!(of(&Method::POST, "/", "", other), Operation::Post, "{other}");
        }
        assert_eq!(Operation::of(&Method::POST, "/", SHARE_QUERY, &HeaderMap::new()), Operation::MakeSession(Maker::Page));
        assert_eq!(Operation::of(&Method::GET, "/", SHARE_QUERY, &HeaderMap::new()), Operation::List);
    }

    #[test]
    fn allow_names_what_works() {
        assert_eq!(allowed("/", Kind::Archive), allowed("/", Kind::Vault));
        assert_eq!(allowed("/a", Kind::Archive), "GET, HEAD, PUT, OPTIONS");
        assert_eq!(allowed("/a", Kind::Vault), "GET, HEAD, OPTIONS");
        assert_eq!(allowed("/web/", Kind::Vault), "POST, OPTIONS");
        assert_eq!(allowed("/web/keys/", Kind::Vault), "GET, HEAD, OPTIONS");
        assert_eq!(allowed("/web/config", Kind::Vault), "GET, HEAD, POST, OPTIONS");
        assert_eq!(allowed(&format!("/data/{}", "a".repeat(64)), Kind::Vault), "GET, HEAD, POST, DELETE, OPTIONS");
    }

    #[test]
    fn an_archive_is_never_posted_to_and_nothing_of_it_deleted() {
        for operation in [Operation::Post, Operation::Delete] {
            assert_eq!((operation.within(Kind::Archive), operation.within(Kind::Vault)), (Operation::Refused, operation));
        }
        assert_eq!(Operation::Put.within(Kind::Vault), Operation::Put, "which is told what to use");
    }
}
