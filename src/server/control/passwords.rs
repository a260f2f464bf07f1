//! Calls that carry a passphrase, encrypted by the user for an agent's key: the server passes it on and cannot read it.

use super::{Answer, Call, Unknown, invalid, json, judged};
use crate::model::agent::KEY_HEX_DIGITS;
use crate::model::work::RequestKind;
use crate::server::fault::ApiFault;
use crate::store::fleet::requests::PasswordRequest;
use crate::wire::fields::Fields;
use crate::wire::hex::parse_hex;

impl Call<'_> {
    pub(super) async fn encrypt_agent(&self) -> Answer {
        let fields = self.fields()?;
        self.ask(&fields, RequestKind::Encrypt, "EncryptedPasswordHex", None).await
    }

    pub(super) async fn change_encryption(&self) -> Answer {
        let fields = self.fields()?;
        let old = ciphertext_of(&fields, "OldEncryptedPasswordHex")?;
        self.ask(&fields, RequestKind::ChangePassword, "NewEncryptedPasswordHex", Some(old)).await
    }

    pub(super) async fn verify_password(&self) -> Answer {
        let fields = self.fields()?;
        self.ask(&fields, RequestKind::VerifyPassword, "EncryptedPasswordHex", None).await
    }

    /// The answer is the request's GUID.
    async fn ask(&self, fields: &Fields, kind: RequestKind, member: &str, old_password: Option<Vec<u8>>) -> Answer {
        let agent = fields.required_int("MachineAgentId").map_err(invalid)?;
        let request = PasswordRequest {
            kind,
            ciphertext: ciphertext_of(fields, member)?,
            old_ciphertext: old_password,
            backup: fields.int("BackupId").map_err(invalid)?,
            asked_by: self.caller.user.name.as_str().to_owned(),
        };
        let guid = judged(self.store().ask_agent(self.tenant(), agent, request).await?, Unknown::Forbidden)?;
        self.audit(kind.as_str(), agent);
        Ok(json(&guid))
    }
}

fn ciphertext_of(fields: &Fields, member: &str) -> Result<Vec<u8>, ApiFault> {
    ciphertext(member, &fields.required_text(member).map_err(invalid)?)
}

/// What was encrypted with a 2048-bit key: 512 hexadecimal digits.
pub(super) fn ciphertext(member: &str, text: &str) -> Result<Vec<u8>, ApiFault> {
    let bytes = parse_hex(text).filter(|bytes| bytes.len() * 2 == KEY_HEX_DIGITS);
    bytes.ok_or_else(|| {
        ApiFault::bad_request(format!("{member} is the passphrase encrypted for the agent's key, in 512 hexadecimal digits."))
    })
}
