//! The attribute `#[tool]` of `wardian-plugin`: it makes an implementation of `Tool`
//! of a function and leaves the function as it is, so that tests may call it.

mod tool;

use proc_macro::TokenStream;

/// Makes a tool of a function, under the function's name.
///
/// The function takes one value, the arguments, or nothing, and answers with a
/// `Result` whose error becomes `wardian_plugin::Error`. Its doc comment is the tool's description. The
/// types of argument and answer implement `JsonSchema`; a `String` is an answer in
/// text, a `Vec<Content>` one in parts. What the tool promises stands in the attribute:
/// `pure`, or any of `read_only`, `idempotent`, `additive`, `closed_world`; so may a `title = "…"` for people.
#[proc_macro_attribute]
pub fn tool(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let promises = syn::parse_macro_input!(attributes as tool::Promises);
    let function = syn::parse_macro_input!(item as syn::ItemFn);
    tool::expand(&promises, &function)
        .unwrap_or_else(|error| {
            let error = error.into_compile_error();
            quote::quote!(#function #error)
        })
        .into()
}
