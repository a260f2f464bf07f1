//! `completions`, from the one definition of the command line.

use super::console::Console;
use super::failure::Failure;

#[derive(clap::Args)]
pub struct Completions {
    /// Whose syntax
    #[arg(value_name = "SHELL")]
    shell: clap_complete::Shell,
}

impl Completions {
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::definition(), "strongroom", &mut script);
        console.answer(&String::from_utf8_lossy(&script))
    }
}
