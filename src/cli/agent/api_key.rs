//! A user's API key: from the environment, typed where nobody sees it, or the first line of what is piped in.

use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::vault::password::hidden;
use crate::model::access::Secret;

const VARIABLE: &str = "STRONGROOM_API_KEY";

pub fn api_key(user: &str, console: &mut Console) -> Result<Secret, Failure> {
    let text = match std::env::var(VARIABLE) {
        Ok(text) => text,
        Err(std::env::VarError::NotUnicode(_)) => return Err(Failure::usage(format!("{VARIABLE} is not UTF-8"))),
        Err(std::env::VarError::NotPresent) if console.is_interactive => hidden(&format!("API key of {user}:"), console)?,
        Err(std::env::VarError::NotPresent) => console.line().unwrap_or_default(),
    };
    let text = text.trim();
    if text.is_empty() {
        let failure = Failure::usage("no API key is given");
        return Err(
            failure.with_hint(format!("set {VARIABLE}, pipe the key in, or type it; `strongroom user rotate` on the server makes one"))
        );
    }
    Ok(Secret::presented(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::console::tests::console;

    #[test]
    fn without_a_terminal_the_first_line_is_the_key() {
        let (mut piped, answers, notes) = console(" 0123456789abcdef \nmore\n", false, false);
        assert_eq!(api_key("ada", &mut piped).expect("a key").reveal(), "0123456789abcdef");
        assert_eq!((answers.text().as_str(), notes.text().as_str()), ("", ""), "nobody is asked");
        assert!(api_key("ada", &mut console("", false, false).0).is_err());
        assert!(api_key("ada", &mut console("\n", false, false).0).is_err());
    }
}
