//! The fault object: every error of the Cloud Backup API and of its identity service. Its name is its single member.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// What went wrong, as clients tell it apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    BadRequest,
    Unauthorized,
    Forbidden,
    /// The identity service's word for a user that was right, but may not log in.
    UserDisabled,
    ItemNotFound,
    BadMethod,
    Conflict,
    /// The agent channel's word for an agent that was deleted.
    Gone,
    OverLimit,
    InstanceFault,
    NotImplemented,
    ServiceUnavailable,
}

impl FaultKind {
    /// The HTTP status, which the object repeats.
    pub const fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden | Self::UserDisabled => 403,
            Self::ItemNotFound => 404,
            Self::BadMethod => 405,
            Self::Conflict => 409,
            Self::Gone => 410,
            Self::OverLimit => 413,
            Self::InstanceFault => 500,
            Self::NotImplemented => 501,
            Self::ServiceUnavailable => 503,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "badRequest",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::UserDisabled => "userDisabled",
            Self::ItemNotFound => "itemNotFound",
            Self::BadMethod => "badMethod",
            Self::Conflict => "conflict",
            Self::Gone => "gone",
            Self::OverLimit => "overLimit",
            Self::InstanceFault => "instanceFault",
            Self::NotImplemented => "notImplemented",
            Self::ServiceUnavailable => "serviceUnavailable",
        }
    }
}

/// A fault as clients read it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    pub kind: FaultKind,
    /// Whole sentences.
    pub message: String,
    /// Mostly empty; `None` leaves the member out, as the identity service does.
    pub details: Option<String>,
}

impl Fault {
    /// With empty details.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), details: Some(String::new()) }
    }

    /// The object in one line, without a final newline.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text and a number are always JSON")
    }
}

#[derive(serde::Serialize)]
struct Inner<'a> {
    code: u16,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a str>,
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(1))?;
        let inner = Inner { code: self.kind.code(), message: &self.message, details: self.details.as_deref() };
        object.serialize_entry(self.kind.name(), &inner)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_single_member() {
        let fault = Fault::new(FaultKind::ItemNotFound, "Backup 12345 was not found.");
        assert_eq!(fault.to_json(), r#"{"itemNotFound":{"code":404,"message":"Backup 12345 was not found.","details":""}}"#);
        let bare = Fault { details: None, ..Fault::new(FaultKind::UserDisabled, "say \"why\"") };
        assert_eq!(bare.to_json(), r#"{"userDisabled":{"code":403,"message":"say \"why\""}}"#);
    }

    #[test]
    fn every_fault_has_the_status_and_the_name_that_clients_know() {
        use FaultKind as F;
        for (kind, code, name) in [
            (F::BadRequest, 400, "badRequest"),
            (F::Unauthorized, 401, "unauthorized"),
            (F::Forbidden, 403, "forbidden"),
            (F::UserDisabled, 403, "userDisabled"),
            (F::ItemNotFound, 404, "itemNotFound"),
            (F::BadMethod, 405, "badMethod"),
            (F::Conflict, 409, "conflict"),
            (F::Gone, 410, "gone"),
            (F::OverLimit, 413, "overLimit"),
            (F::InstanceFault, 500, "instanceFault"),
            (F::NotImplemented, 501, "notImplemented"),
            (F::ServiceUnavailable, 503, "serviceUnavailable"),
        ] {
            let json = Fault::new(kind, "x").to_json();
            assert_eq!(json, format!(r#"{{"{name}":{{"code":{code},"message":"x","details":""}}}}"#));
        }
    }
}
