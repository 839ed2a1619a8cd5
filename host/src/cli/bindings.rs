//! `wardian bindings` and `wardian componentize`: what lies between a compiler that
//! knows nothing of WIT and a component, for those who write without an SDK.

use std::path::PathBuf;

use author::{World, bindings, componentize};

/// What the bindings are written in.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Language {
    C,
    Go,
}

/// Which world.
#[derive(Debug, clap::Args)]
pub(super) struct Wit {
    /// A WIT file, or a folder of them with what they use in `deps` [default: the contract of plugins]
    #[arg(long, value_name = "PATH")]
    wit: Option<PathBuf>,
    /// A world in it; of the contract: plugin, or sdk, which has HTTP requests too [default: plugin, or the only one]
    #[arg(long, value_name = "NAME")]
    world: Option<String>,
}

impl Wit {
    fn read(&self) -> author::Result<World> {
        match (&self.wit, self.world.as_deref()) {
            (Some(path), name) => World::read(path, name),
            (None, None | Some("plugin")) => World::contract(),
            (None, Some("sdk")) => World::sdk(),
            (None, Some(other)) => {
                Err(author::Error::of(format!("world {other:?}"), "the contract has plugin and sdk", "name your own WIT with --wit"))
            }
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wardian bindings c --into bindings         plugin.h, plugin.c and plugin_component_type.o, to be linked
  wardian bindings go --into bindings --package example.com/tool/bindings
                                             imports and exports; yours goes to exports/export_wardian_plugin_tools

The SDKs of both languages have them already: `wardian new --lang c`, `--lang go`.")]
pub(super) struct Bindings {
    /// What they are written in
    language: Language,
    /// The folder to write them into
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// The import path of that folder, for Go
    #[arg(long, value_name = "PATH", required_if_eq("language", "go"))]
    package: Option<String>,
    #[command(flatten)]
    wit: Wit,
}

pub(super) fn write(args: &Bindings) -> anyhow::Result<()> {
    let world = args.wit.read()?;
    let files = match args.language {
        Language::C => bindings::c(&world)?,
        Language::Go => bindings::go(&world, args.package.as_deref().unwrap_or_default())?,
    };
    bindings::write(&files, &args.into)?;
    println!("{} files of world {} in {}", files.len(), world.name(), args.into.display());
    Ok(())
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  wardian componentize tool.module.wasm --into tool.wasm

A module that was linked with the object of `wardian bindings c` says itself what it implements; another
implements the world that is named here. Calls of WASI's first preview are adapted to the second.")]
pub(super) struct Componentize {
    /// What the compiler wrote
    module: PathBuf,
    /// Where to write the component
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
    #[command(flatten)]
    wit: Wit,
}

pub(super) fn componentize(args: &Componentize) -> anyhow::Result<()> {
    let module = std::fs::read(&args.module)
        .map_err(|error| author::Error::at(&args.module, format!("it cannot be read: {error}"), "name what the compiler wrote"))?;
    let component = componentize::component(&args.module, &module, &args.wit.read()?)?;
    std::fs::write(&args.into, &component).map_err(|error| {
        author::Error::at(&args.into, format!("it cannot be written: {error}"), "name a file in a folder that is there")
    })?;
    println!("{}  {} KiB", args.into.display(), component.len().div_ceil(1024));
    Ok(())
}
