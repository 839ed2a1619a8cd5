//! A cheap count of what compiling and instantiating a component would come to,
//! before either is tried. A kilobyte of nested components can ask for minutes
//! and gigabytes; this walk refuses it in microseconds. It also finds the manifest,
//! the names of what is exported, and what the author wrote about it.

use wasmparser::{ComponentInstance, Encoding, Parser, Payload};

use crate::functions::docs;
use crate::manifest;

/// Core modules and components that may be defined, at any depth. Each is compiled.
const DEFINED_MAX: u64 = 512;

/// How deep components may lie in each other. Toolchains use three or four.
const DEPTH_MAX: usize = 16;

/// Instances that instantiating would make. The pool allows eighty core
/// instances; components that only wrap them are counted too.
const INSTANCES_MAX: u64 = 1_000;

/// Functions of all modules together. The largest interpreters have some 30,000.
const FUNCTIONS_MAX: u64 = 250_000;

/// What a component may export: nobody reads more.
const EXPORTS_MAX: u64 = 10_000;

/// What the walk found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// The contents of the custom section `wardian:plugin`, where there is one.
    pub manifest: Option<Vec<u8>>,
    /// The contents of the custom section `package-docs`, where there is one of a sensible size.
    pub docs: Option<Vec<u8>>,
    /// What the component exports.
    pub exports: Vec<Export>,
}

/// One thing that a component exports.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Export {
    pub name: String,
    /// Whether it is a function or an interface.
    pub may_be_called: bool,
}

/// One component whose sections are being read.
#[derive(Default)]
struct Level {
    /// For each component in its index space: the instances that instantiating it makes.
    components: Vec<u64>,
    /// What instantiating this component makes.
    instances: u64,
}

/// Counts. The answer says what is too much, or that the bytes are no component.
pub(crate) fn take(bytes: &[u8]) -> Result<Census, String> {
    let mut census = Census::default();
    let mut levels: Vec<Level> = Vec::new();
    let mut in_module = 0usize;
    let (mut defined, mut functions, mut dearest) = (0u64, 0u64, 1u64);

    if !bytes.starts_with(MAGIC) {
        return Err(NOT_WEBASSEMBLY.into());
    }
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| format!("the file is damaged or incomplete: {error}"))?;
        match payload {
            Payload::Version { encoding, .. } => {
                defined += 1;
                match encoding {
                    Encoding::Component => levels.push(Level::default()),
                    Encoding::Module if levels.is_empty() => return Err(NOT_A_COMPONENT.into()),
                    Encoding::Module => in_module += 1,
                }
                within("modules and components", defined, DEFINED_MAX)?;
                within("levels of nesting", levels.len() as u64, DEPTH_MAX as u64)?;
            }
            Payload::End(_) if in_module > 0 => in_module -= 1,
            Payload::End(_) => {
                let Some(level) = levels.pop() else { break };
                let made = level.instances.saturating_add(1);
                dearest = dearest.max(made);
                if let Some(outer) = levels.last_mut() {
                    outer.components.push(made);
                }
            }
            Payload::CodeSectionStart { count, .. } => {
                functions += u64::from(count);
                within("functions", functions, FUNCTIONS_MAX)?;
            }
            Payload::CustomSection(section) if section.name() == manifest::SECTION && levels.len() == 1 && in_module == 0 => {
                if section.data().len() > manifest::BYTES_MAX {
                    return Err(format!("its section {} is longer than {} bytes", manifest::SECTION, manifest::BYTES_MAX));
                }
                if census.manifest.is_some() {
                    return Err(format!("it has two sections {}", manifest::SECTION));
                }
                census.manifest = Some(section.data().to_vec());
            }
            Payload::CustomSection(section) if section.name() == docs::SECTION && levels.len() == 1 && in_module == 0 => {
                census.docs = Some(section.data()).filter(|data| data.len() <= docs::BYTES_MAX).map(<[u8]>::to_vec);
            }
            Payload::InstanceSection(reader) => {
                let level = levels.last_mut().ok_or(NOT_A_COMPONENT)?;
                level.instances = level.instances.saturating_add(u64::from(reader.count()));
                within("instances", level.instances, INSTANCES_MAX)?;
            }
            Payload::ComponentInstanceSection(reader) => {
                let level = levels.last_mut().ok_or(NOT_A_COMPONENT)?;
                for instance in reader {
                    let instance = instance.map_err(|error| format!("the file is damaged: {error}"))?;
                    let made = match instance {
                        // A component that is not defined here is taken for the dearest one seen.
                        ComponentInstance::Instantiate { component_index, .. } => {
                            level.components.get(component_index as usize).copied().unwrap_or(dearest)
                        }
                        ComponentInstance::FromExports(_) => 1,
                    };
                    level.instances = level.instances.saturating_add(made);
                    within("instances", level.instances, INSTANCES_MAX)?;
                }
            }
            Payload::ComponentAliasSection(reader) => {
                let level = levels.last_mut().ok_or(NOT_A_COMPONENT)?;
                for alias in reader {
                    let alias = alias.map_err(|error| format!("the file is damaged: {error}"))?;
                    if names_a_component(&alias) {
                        level.components.push(dearest);
                    }
                }
            }
            Payload::ComponentImportSection(reader) => {
                let level = levels.last_mut().ok_or(NOT_A_COMPONENT)?;
                for import in reader {
                    let import = import.map_err(|error| format!("the file is damaged: {error}"))?;
                    if matches!(import.ty, wasmparser::ComponentTypeRef::Component(_)) {
                        level.components.push(dearest);
                    }
                }
            }
            Payload::ComponentExportSection(reader) => {
                let outermost = levels.len() == 1;
                let level = levels.last_mut().ok_or(NOT_A_COMPONENT)?;
                for export in reader {
                    let export = export.map_err(|error| format!("the file is damaged: {error}"))?;
                    if export.kind == wasmparser::ComponentExternalKind::Component {
                        level.components.push(dearest);
                    }
                    if outermost {
                        census.exports.push(exported(&export));
                        within("exports", census.exports.len() as u64, EXPORTS_MAX)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(census)
}

fn exported(export: &wasmparser::ComponentExport<'_>) -> Export {
    use wasmparser::ComponentExternalKind::{Func, Instance};
    Export { name: export.name.name.to_owned(), may_be_called: matches!(export.kind, Func | Instance) }
}

fn names_a_component(alias: &wasmparser::ComponentAlias<'_>) -> bool {
    use wasmparser::{ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind};
    match alias {
        ComponentAlias::InstanceExport { kind, .. } => *kind == ComponentExternalKind::Component,
        ComponentAlias::Outer { kind, .. } => *kind == ComponentOuterAliasKind::Component,
        ComponentAlias::CoreInstanceExport { .. } => false,
    }
}

/// How every file of WebAssembly begins, modules and components alike.
const MAGIC: &[u8] = b"\0asm";

const NOT_WEBASSEMBLY: &str = "the file is damaged, or no WebAssembly at all";

const NOT_A_COMPONENT: &str =
    "the file is a core module, not a component; build it for wasm32-wasip2, or wrap it with `wardian componentize`";

fn within(what: &str, count: u64, max: u64) -> Result<(), String> {
    if count > max { Err(format!("the component has more than {max} {what}")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `depth` components, each instantiating the one inside it `width` times.
    fn bomb(depth: usize, width: usize) -> Vec<u8> {
        let mut text = String::from("(component $c0)");
        for level in 1..depth {
            let instances = format!("(instance (instantiate $c{}))", level - 1).repeat(width);
            text = format!("(component $c{level} {text} {instances})");
        }
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn nested_components_that_multiply_are_refused() {
        assert!(take(&bomb(3, 3)).is_ok());
        let error = take(&bomb(12, 4)).unwrap_err();
        assert!(error.contains("more than 1000 instances"), "{error}");
        let error = take(&bomb(20, 1)).unwrap_err();
        assert!(error.contains("more than 16 levels"), "{error}");
    }

    #[test]
    fn text_modules_and_fragments_are_refused_with_words() {
        assert!(take(b"(component)").unwrap_err().contains("damaged"));
        assert!(take(&wat::parse_str("(module)").unwrap()).unwrap_err().contains("core module"));
        let whole = bomb(3, 3);
        assert!(take(&whole[..whole.len() - 3]).unwrap_err().contains("damaged or incomplete"));
    }

    #[test]
    fn the_manifest_inside_a_component_is_found() {
        let bytes = wat::parse_str(r#"(component (@custom "wardian:plugin" "version = \"1.2.3\""))"#).unwrap();
        assert_eq!(take(&bytes).unwrap().manifest.as_deref(), Some(&b"version = \"1.2.3\""[..]));
        let two = r#"(component (@custom "wardian:plugin" "") (@custom "wardian:plugin" ""))"#;
        assert!(take(&wat::parse_str(two).unwrap()).unwrap_err().contains("two sections"));
    }
}
