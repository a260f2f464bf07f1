//! API key and password of a user, as they are handed over.

use super::super::destination::Delivery;
use crate::model::user::User;
use crate::store::users::UserSecrets;

/// Two lines, `api_key=…` and `password=…`, which a shell can read, too; or two members more of the user's object.
pub fn delivery(user: &User, secrets: &UserSecrets) -> Delivery {
    let (api_key, password) = (secrets.api_key.reveal(), secrets.password.reveal());
    Delivery {
        what: "The API key and the password",
        hint: "the API key and the password are lost: `strongroom user rotate` makes new ones",
        text: format!("api_key={api_key}\npassword={password}"),
        secrets: vec![("api_key", api_key.to_owned()), ("password", password.to_owned())],
        json: super::json(user),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::console::tests::console;
    use super::super::super::destination::Destination;
    use super::super::tests::user;
    use super::*;
    use crate::model::access::Secret;

    const TEXT: &str = "api_key=0123456789abcdef0123456789abcdef\npassword=Mj313x2D1OyrTSpyMj313x\n";

    fn secrets() -> UserSecrets {
        UserSecrets {
            api_key: Secret::presented("0123456789abcdef0123456789abcdef"),
            password: Secret::presented("Mj313x2D1OyrTSpyMj313x"),
        }
    }

    #[test]
    fn a_shell_reads_two_lines_and_a_machine_one_object() {
        let delivered = |json| {
            let (mut console, answers, _) = console("", false, json);
            let destination = Destination::prepare(None).expect("standard output is there");
            destination.deliver(delivery(&user("ada", "observer"), &secrets()), &mut console).expect("it is written");
            answers.text()
        };
        assert_eq!(delivered(false), TEXT);
        let object: serde_json::Value = serde_json::from_str(&delivered(true)).expect("it is JSON");
        let members = ["user", "tenant", "api_key", "password"].map(|name| object[name].as_str().expect("it is text"));
        assert_eq!(members, ["ada", "5501", "0123456789abcdef0123456789abcdef", "Mj313x2D1OyrTSpyMj313x"]);
    }

    #[test]
    fn a_file_gets_the_secrets_alone_and_standard_output_none() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for json in [false, true] {
            let path = folder.path().join(json.to_string());
            let (mut console, answers, _) = console("", false, json);
            let destination = Destination::prepare(Some(&path)).expect("it is new");
            destination.deliver(delivery(&user("ada", "observer"), &secrets()), &mut console).expect("it is written");
            assert_eq!(std::fs::read_to_string(&path).expect("it is there"), TEXT);
            let said = answers.text();
            assert!(!said.contains("0123456789abcdef") && !said.contains("Mj313x"), "{said}");
        }
    }
}
