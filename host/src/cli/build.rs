//! `wardian build`: the project in a folder, as a component.

use std::path::PathBuf;

use author::Project;
use author::build::build;
use author::toolchain::Toolchains;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The component is dist/NAME.wasm with plugin.toml inside; put it into the plugin directory of a server.
What was built before stays there until the new one is whole. The compiler is that of the project's
language; `wardian toolchain list` shows which there are.")]
pub(super) struct Args {
    /// The project's folder, or one in it
    #[arg(default_value = ".")]
    folder: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let project = Project::find(&args.folder)?;
    let built = build(&project, &Toolchains::of_user())?;
    let here = std::env::current_dir().unwrap_or_default();
    let shown = built.component.strip_prefix(&here).unwrap_or(&built.component);
    println!("{}  {} KiB  in {:.1} s", shown.display(), built.bytes.div_ceil(1024), built.took.as_secs_f32());
    Ok(())
}
