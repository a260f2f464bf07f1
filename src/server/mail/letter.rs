//! One mail as it goes over the wire.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Message};
use lettre::{Address, address::Envelope};

use crate::store::fleet::ClaimedMail;

/// What the mail server is told beside the text, and the text.
pub struct Letter {
    pub envelope: Envelope,
    pub bytes: Vec<u8>,
}

/// In words why there can be no such mail: a recipient that is no address.
pub fn letter(from: &Address, mail: &ClaimedMail) -> Result<Letter, String> {
    let to: Address = mail.recipient.parse().map_err(|error| format!("the recipient is no address: {error}"))?;
    let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
    let message = Message::builder()
        .from(Mailbox::new(Some("Strongroom".to_owned()), from.clone()))
        .to(Mailbox::new(None, to))
        .subject(mail.subject.as_str())
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(mail.now.seconds()).unwrap_or(0)))
        .message_id(Some(format!("<{}>", mail.message_id)))
        .raw_header(automatic)
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        .body(mail.body.clone())
        .map_err(|error| error.to_string())?;
    Ok(Letter { envelope: message.envelope().clone(), bytes: message.formatted() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::instant::Instant;

    fn mail(recipient: &str, subject: &str, body: &str) -> ClaimedMail {
        let now = Instant::from_seconds(1_406_825_640);
        ClaimedMail {
            id: 1,
            recipient: recipient.to_owned(),
            message_id: "0b7e@strongroom".to_owned(),
            subject: subject.to_owned(),
            body: body.to_owned(),
            tries: 1,
            first_try_at: now,
            now,
        }
    }

    fn text(mail: &ClaimedMail) -> String {
        let from = "backup@example.net".parse().expect("an address");
        String::from_utf8(letter(&from, mail).expect("a mail").bytes).expect("it is ASCII")
    }

    #[test]
    fn a_mail_has_these_headers_and_its_text() {
        let text = text(&mail("ops@example.net", "[Strongroom] Completed: www nightly on web-a", "Strongroom\n\nStatus: Completed\n"));
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let mut lines: Vec<&str> = head.split("\r\n").collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "Auto-Submitted: auto-generated",
                "Content-Transfer-Encoding: 7bit",
                "Content-Type: text/plain; charset=utf-8",
                "Date: Thu, 31 Jul 2014 16:54:00 +0000",
                "From: Strongroom <backup@example.net>",
                "MIME-Version: 1.0",
                "Message-ID: <0b7e@strongroom>",
                "Subject: [Strongroom] Completed: www nightly on web-a",
                "To: ops@example.net",
            ]
        );
        assert_eq!(body, "Strongroom\r\n\r\nStatus: Completed\r\n");
    }

    #[test]
    fn whatever_the_text_is_lines_are_ascii_and_short() {
        let text = text(&mail("ops@example.net", &"Tägliche Sicherung 日本 ".repeat(20), &format!("{}\n.\nÄ\n", "x".repeat(5000))));
        assert!(text.is_ascii());
        assert!(text.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])), "{text}");
    }

    #[test]
    fn a_subject_with_line_ends_adds_no_header() {
        let text = text(&mail("ops@example.net", "a\r\nBcc: eve@example.net\r\n\r\nhello", "x"));
        let head = text.split("\r\n\r\n").next().expect("a head");
        assert!(head.split("\r\n").all(|line| !line.starts_with("Bcc")), "{head}");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let from = "backup@example.net".parse().expect("an address");
        for bad in ["ops", "@example.net", "ops@", "ops@example.net\r\nRCPT TO:<eve@example.net>", "a b@example.net", "<ops@example.net>"] {
            assert!(letter(&from, &mail(bad, "s", "b")).is_err(), "{bad}");
        }
    }
}
