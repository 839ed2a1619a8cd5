//! Which shape a component has, by what it exports, and whether that is the one
//! that the operator's entry says. Nothing is taken for a tool that nobody meant
//! to be one: a component that does not speak our contract needs a line.

use policy::Shape;

use crate::census::Export;
use crate::manifest::CONTRACT;
use schema::text;

/// The interface that a native plugin exports, without its version.
pub(crate) const TOOLS: &str = "wardian:plugin/tools@";

/// The interface that a command exports, without its version.
const RUN: &str = "wasi:cli/run@";

/// Exports named in a refusal.
const SHOWN_MAX: usize = 5;

/// Whether a component can serve in a shape; the refusal names the line that would be right.
pub(crate) fn fits(plugin: &str, shape: Shape, exports: &[Export]) -> Result<(), String> {
    let native = exports.iter().find_map(|export| export.name.strip_prefix(TOOLS));
    let command = exports.iter().any(|export| export.name.starts_with(RUN));
    let line = |shape: Shape| format!("write shape = \"{}\" in [plugin.{plugin}]", shape.word());
    match (shape, native) {
        (Shape::Native, Some(version)) => speaks(version),
        (Shape::Functions | Shape::Command, Some(_)) => {
            Err(format!("the component describes its tools itself; remove shape = \"{}\" from [plugin.{plugin}]", shape.word()))
        }
        (Shape::Native, None) if command => Err(format!("{NOT_NATIVE}, but a command; to make it a tool, {}", line(Shape::Command))),
        (Shape::Native, None) => match others(exports) {
            Some(names) => Err(format!("{NOT_NATIVE}, but exports {names}; to make its functions tools, {}", line(Shape::Functions))),
            None => Err(format!("{NOT_NATIVE}, and exports nothing that could be a tool")),
        },
        (Shape::Command, None) if !command => Err(match others(exports) {
            Some(names) => format!("the component is no command: it does not export {RUN}0.2, but {names}; {}", line(Shape::Functions)),
            None => format!("the component is no command: it does not export {RUN}0.2"),
        }),
        (Shape::Functions, None) if others(exports).is_none() && command => {
            Err(format!("the component exports no functions of its own, but is a command; {}", line(Shape::Command)))
        }
        (Shape::Functions, None) if others(exports).is_none() => Err("the component exports no functions".into()),
        (Shape::Command | Shape::Functions, None) => Ok(()),
    }
}

const NOT_NATIVE: &str = "the component does not export wardian:plugin/tools@0.1.0: it is not a Wardian plugin";

fn speaks(version: &str) -> Result<(), String> {
    if version.strip_prefix(CONTRACT).is_some_and(|rest| rest.starts_with('.')) {
        return Ok(());
    }
    let version = text::escaped(version);
    Err(format!("the component was made for contract {version}, this server speaks {CONTRACT}; rebuild it against wit/v{CONTRACT}"))
}

/// What a component exports beside what WASI defines.
fn others(exports: &[Export]) -> Option<String> {
    let own = || exports.iter().filter(|export| export.may_be_called && !export.name.starts_with("wasi:"));
    let shown: Vec<String> = own().take(SHOWN_MAX).map(|export| text::escaped(&export.name)).collect();
    let more = if own().count() > SHOWN_MAX { ", …" } else { "" };
    (!shown.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(shape: Shape, names: &[&str]) -> Result<(), String> {
        let exports: Vec<Export> = names.iter().map(|name| Export { name: (*name).to_owned(), may_be_called: true }).collect();
        fits("it", shape, &exports)
    }

    #[test]
    fn a_component_serves_in_its_own_shape_and_in_no_other() {
        const NATIVE: &str = "wardian:plugin/tools@0.1.0";
        const COMMAND: &str = "wasi:cli/run@0.2.6";
        const FUNCTION: &str = "acme:market/shop@1.0.0";
        for (shape, names) in [
            (Shape::Native, &[NATIVE][..]),
            (Shape::Native, &[NATIVE, COMMAND, FUNCTION, "init"]),
            (Shape::Command, &[COMMAND]),
            (Shape::Command, &[COMMAND, FUNCTION]),
            (Shape::Functions, &[FUNCTION]),
            (Shape::Functions, &[COMMAND, FUNCTION]),
        ] {
            assert_eq!(fit(shape, names), Ok(()), "{shape:?} {names:?}");
        }
        for (shape, names, why) in [
            (Shape::Functions, &[NATIVE][..], "describes its tools itself; remove shape = \"functions\" from [plugin.it]"),
            (Shape::Command, &[NATIVE, COMMAND], "describes its tools itself; remove shape = \"command\" from [plugin.it]"),
            (Shape::Native, &[COMMAND], "a command; to make it a tool, write shape = \"command\" in [plugin.it]"),
            (
                Shape::Native,
                &[FUNCTION, "init"],
                "exports acme:market/shop@1.0.0, init; to make its functions tools, write shape = \"functions\" in [plugin.it]",
            ),
            (Shape::Native, &[], "exports nothing that could be a tool"),
            (Shape::Native, &["wasi:http/incoming-handler@0.2.0"], "exports nothing that could be a tool"),
            (Shape::Command, &[FUNCTION], "does not export wasi:cli/run@0.2, but acme:market/shop@1.0.0; write shape = \"functions\""),
            (Shape::Command, &[], "is no command"),
            (Shape::Functions, &[COMMAND], "but is a command; write shape = \"command\" in [plugin.it]"),
            (Shape::Functions, &[], "exports no functions"),
            (Shape::Native, &["wardian:plugin/tools@0.2.0"], "contract 0.2.0, this server speaks 0.1"),
            (Shape::Native, &["wardian:plugin/tools@0.10.0"], "contract 0.10.0, this server speaks 0.1"),
        ] {
            let refused = fit(shape, names).unwrap_err();
            assert!(refused.contains(why), "{shape:?} {names:?}: {refused}");
        }
    }

    #[test]
    fn a_refusal_names_some_exports_and_hides_nothing() {
        let refused = fit(Shape::Native, &["a", "b", "c", "d", "e", "f"]).unwrap_err();
        assert!(refused.contains("exports a, b, c, d, e, …"), "{refused}");
    }
}
