//! `man`, from the one definition of the command line.

use super::console::Console;
use super::failure::Failure;

#[derive(clap::Args)]
pub struct Man {
    /// The page of this command, such as `account add`, instead of the whole program
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

impl Man {
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let mut page = super::definition();
        page.build();
        for name in &self.command {
            let found = page.find_subcommand(name).cloned();
            page =
                found.ok_or_else(|| Failure::usage(format!("there is no command {name}")).with_hint("`strongroom --help` lists them"))?;
        }
        let mut roff = Vec::new();
        let rendered = clap_mangen::Man::new(page).render(&mut roff);
        rendered.map_err(|error| Failure::because("cannot make the page", &error))?;
        console.answer(&String::from_utf8_lossy(&roff))
    }
}
