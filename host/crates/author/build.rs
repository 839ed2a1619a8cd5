//! Has the crate compiled again when a file is added to or taken from what it embeds:
//! the compiler itself sees changes of known files only.

fn main() {
    for watched in ["templates", "go-wit", "toolchain.sh", "../../../plugins/sdk", "../../../wit/v0.1"] {
        println!("cargo::rerun-if-changed={watched}");
    }
}
