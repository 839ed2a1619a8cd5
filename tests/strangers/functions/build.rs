//! Writes the file that wit-bindgen's test components include: their bindings, by its macro.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let folder = env::var("STRANGER").expect("STRANGER names the folder of a test component");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("bindings.rs");
    let text = format!("wit_bindgen::generate!({{ path: \"{folder}/test.wit\", world: \"test\", generate_all }});\n");
    fs::write(&out, text).expect("cargo's own folder can be written");
    println!("cargo::rustc-env=BINDINGS={}", out.display());
    println!("cargo::rerun-if-env-changed=STRANGER");
}
