//! The child process that compiles, as a program of its own: for tests and
//! measurements of the sandbox without the server around it. The server is its own child.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox::child::main(std::env::args_os()).unwrap_or_else(|| {
        eprintln!("this program compiles a component from standard input when it is started with `{}`", sandbox::child::ARGUMENT);
        ExitCode::FAILURE
    })
}
