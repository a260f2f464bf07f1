//! A person types the name of what goes for good.

use super::console::Console;
use super::failure::Failure;

/// Goes on only when a person types the name of this account or user (`what`).
pub fn confirm(what: &str, name: &str, console: &mut Console) -> Result<(), Failure> {
    if !console.is_interactive {
        let failure = Failure::usage(format!("{what} {name} was not removed: nobody is there to confirm it"));
        return Err(failure.with_hint("say --yes to remove it without being asked"));
    }
    if console.ask(&format!("Type {name} to remove it:")).as_deref() == Some(name) {
        return Ok(());
    }
    Err(Failure::new(format!("{what} {name} was not removed: its name was not typed")))
}

#[cfg(test)]
mod tests {
    use super::super::console::tests::console;
    use super::*;

    #[test]
    fn only_the_typed_name_removes() {
        let removes = |input| confirm("account", "Y21R3P", &mut console(input, true, false).0);
        assert!(removes("Y21R3P\n").is_ok());
        for other in ["y\n", "yes\n", "y21r3p\n", "Y21R3PX\n", "\n", ""] {
            assert_eq!(format!("{:?}", removes(other).expect_err(other).exit_code()), "ExitCode(unix_exit_status(1))", "{other:?}");
        }
    }

    #[test]
    fn a_script_must_say_yes() {
        let failure = confirm("account", "Y21R3P", &mut console("Y21R3P\n", false, false).0).expect_err("nobody is asked");
        assert_eq!(format!("{:?}", failure.exit_code()), "ExitCode(unix_exit_status(2))");
    }
}
