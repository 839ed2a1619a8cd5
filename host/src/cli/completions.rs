//! `wardian completions`: what a shell needs to complete this command line.

use clap_complete::Shell;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wardian completions bash > ~/.local/share/bash-completion/completions/wardian
  wardian completions zsh > ~/.zfunc/_wardian
  wardian completions fish > ~/.config/fish/completions/wardian.fish")]
pub(super) struct Args {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(args: &Args, mut command: clap::Command) -> anyhow::Result<()> {
    clap_complete::generate(args.shell, &mut command, "wardian", &mut std::io::stdout());
    Ok(())
}
