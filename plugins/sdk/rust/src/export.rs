//! The macro that makes tools a component.

/// Makes a plugin of the tools named, in the order in which they are listed.
/// Written once, at the root of the plugin's crate, which has
/// `crate-type = ["cdylib", "rlib"]`.
///
/// Beside the component's exports it defines two functions that work natively
/// too, for tests: `describe()`, the descriptors, and `invoke(tool, input)`, one
/// call from JSON text to the parts of the answer.
#[macro_export]
macro_rules! export {
    ($($tool:ty),+ $(,)?) => {
        /// The plugin's tools, as the host sees them.
        pub fn describe() -> ::std::vec::Vec<$crate::bindings::wardian::plugin::types::Tool> {
            ::std::vec![$($crate::describe::<$tool>()),+]
        }

        /// Runs one tool on its arguments in JSON.
        pub fn invoke(
            tool: &str,
            input: &str,
        ) -> ::core::result::Result<::std::vec::Vec<$crate::Content>, $crate::Error> {
            $(
                if tool == <$tool as $crate::Tool>::NAME {
                    return $crate::run::<$tool>(input);
                }
            )+
            ::core::result::Result::Err($crate::Error::not_found(::std::format!(
                "this plugin has no tool {tool:?}"
            )))
        }

        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::{
                exports::wardian::plugin::tools::Guest,
                wardian::plugin::types::{Call, Content, Tool, ToolError},
            };

            struct Component;

            impl Guest for Component {
                fn describe() -> ::std::vec::Vec<Tool> {
                    describe()
                }

                fn invoke(
                    call: Call,
                ) -> ::core::result::Result<::std::vec::Vec<Content>, ToolError> {
                    invoke(&call.tool, &call.input).map_err(::core::convert::Into::into)
                }
            }

            $crate::bindings::export_world!(Component with_types_in $crate::bindings);
        };
    };
}
