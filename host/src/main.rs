//! `wardian`: composes the server of its parts and speaks to its operator.
//! What an agent, a tool or a session is stands in the crates beside it.

mod banner;
mod cli;
mod config;
mod explain;
mod exposed;
mod files;
mod host;
mod leases;
mod logs;
mod open;
mod owner;
mod progress;
mod readiness;
mod reload;
mod shipped;
mod shutdown;
mod trial;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The sandbox compiles plugins in a child of the same binary: nothing may come before this.
    if let Some(code) = sandbox::child::main(std::env::args_os()) {
        return code;
    }
    cli::main()
}
