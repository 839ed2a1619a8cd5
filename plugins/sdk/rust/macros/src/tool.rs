//! From a function to an implementation of `Tool`: a type of the function's name, which
//! can stand beside it because types and functions have names of their own.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, Error, Expr, ExprLit, FnArg, GenericArgument, Ident, ItemFn, Lit, LitStr, Meta, PathArguments, Result, ReturnType, Token,
    Type,
};

/// The promises, and the constant that each stands for.
const PROMISES: [(&str, &str); 5] =
    [("pure", "all"), ("read_only", "READ_ONLY"), ("idempotent", "IDEMPOTENT"), ("additive", "ADDITIVE"), ("closed_world", "CLOSED_WORLD")];

/// What stands in the attribute.
#[derive(Default)]
pub(crate) struct Promises {
    traits: Vec<TokenStream>,
    title: Option<LitStr>,
}

impl Parse for Promises {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut promises = Self::default();
        while !input.is_empty() {
            let word: Ident = input.parse()?;
            if word == "title" {
                input.parse::<Token![=]>()?;
                promises.title = Some(input.parse()?);
            } else {
                promises.traits.push(promised(&word)?);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(promises)
    }
}

fn promised(word: &Ident) -> Result<TokenStream> {
    let Some((_, name)) = PROMISES.iter().find(|(promise, _)| word == promise) else {
        let known = PROMISES.map(|(promise, _)| promise).join(", ");
        return Err(Error::new(word.span(), format!("a tool promises {known}; besides there is title = \"…\"")));
    };
    let name = format_ident!("{name}");
    Ok(if name == "all" { quote!(::wardian_plugin::Traits::all()) } else { quote!(::wardian_plugin::Traits::#name) })
}

/// The function and the tool made of it.
pub(crate) fn expand(promises: &Promises, function: &ItemFn) -> Result<TokenStream> {
    let ItemFn { attrs, vis, sig, .. } = function;
    if sig.asyncness.is_some() || !sig.generics.params.is_empty() {
        return Err(Error::new_spanned(sig, "a tool is an ordinary function: neither async nor generic"));
    }
    let described = description(attrs);
    if described.is_empty() {
        return Err(Error::new_spanned(&sig.ident, "say in a doc comment what the tool does and when to use it: the model reads that"));
    }
    let (name, text, traits) = (&sig.ident, sig.ident.to_string(), &promises.traits);
    let Arguments { field, read, schema, call } = arguments(function)?;
    let Answered { kind, wrapped, output } = answered(function, &call)?;
    let annotations = promises.title.as_ref().map(|title| {
        quote!(fn annotations() -> ::core::option::Option<::wardian_plugin::made::Text> {
            ::core::option::Option::Some(::wardian_plugin::made::title(#title))
        })
    });
    Ok(quote! {
        #function

        #[doc = "The tool made of the function of this name."]
        #[allow(non_camel_case_types)]
        #vis struct #name { #field }

        impl<'de> ::wardian_plugin::made::Deserialize<'de> for #name {
            fn deserialize<D: ::wardian_plugin::made::Deserializer<'de>>(from: D) -> ::core::result::Result<Self, D::Error> {
                #read
            }
        }

        impl ::wardian_plugin::Tool for #name {
            const NAME: &'static str = #text;
            const DESCRIPTION: &'static str = #described;
            const TRAITS: ::wardian_plugin::Traits = ::wardian_plugin::Traits::empty() #(.union(#traits))*;
            type Answer = #kind;

            #schema
            #output
            #annotations

            fn run(self) -> ::core::result::Result<Self::Answer, ::wardian_plugin::Error> {
                #wrapped
            }
        }
    })
}

/// What the tool takes: the field that holds it, how it is read, its schema, and the call with it.
struct Arguments {
    field: TokenStream,
    read: TokenStream,
    schema: TokenStream,
    call: TokenStream,
}

fn arguments(function: &ItemFn) -> Result<Arguments> {
    let (name, inputs) = (&function.sig.ident, &function.sig.inputs);
    match (inputs.first(), inputs.len()) {
        (None, _) => Ok(Arguments {
            field: quote!(),
            read: quote!(<::wardian_plugin::made::IgnoredAny as ::wardian_plugin::made::Deserialize>::deserialize(from).map(|_| Self {})),
            schema: quote!(),
            call: quote!(#name()),
        }),
        (Some(FnArg::Typed(argument)), 1) => {
            let kind = &argument.ty;
            Ok(Arguments {
                field: quote!(arguments: #kind),
                read: quote!(::core::result::Result::Ok(Self { arguments: ::wardian_plugin::made::Deserialize::deserialize(from)? })),
                schema: quote!(fn input() -> ::wardian_plugin::made::Text { ::wardian_plugin::made::input::<#kind>() }),
                call: quote!(#name(self.arguments)),
            })
        }
        (Some(_), _) => Err(Error::new_spanned(inputs, "a tool takes one value at most: a struct whose fields are the arguments")),
    }
}

/// What the tool gives: the kind of its answer, how it gets that, and the schema of its data.
struct Answered {
    kind: TokenStream,
    wrapped: TokenStream,
    output: TokenStream,
}

fn answered(function: &ItemFn, call: &TokenStream) -> Result<Answered> {
    let kind = success(&function.sig.output)?;
    if is(kind, "String", None) || is(kind, "Vec", Some("Content")) {
        return Ok(Answered { kind: quote!(#kind), wrapped: quote!(::core::result::Result::Ok(#call?)), output: quote!() });
    }
    Ok(Answered {
        kind: quote!(::wardian_plugin::Data<#kind>),
        wrapped: quote!(::core::result::Result::Ok(::wardian_plugin::Data(#call?))),
        output: quote!(fn output() -> ::core::option::Option<::wardian_plugin::made::Text> {
            ::core::option::Option::Some(::wardian_plugin::made::output::<#kind>())
        }),
    })
}

/// The first type in the `Result` that a function answers with.
fn success(output: &ReturnType) -> Result<&Type> {
    let must = || Error::new_spanned(output, "a tool answers with a `Result<…, Error>`");
    let ReturnType::Type(_, kind) = output else { return Err(must()) };
    let Type::Path(path) = &**kind else { return Err(must()) };
    let result = path.path.segments.last().filter(|segment| segment.ident == "Result").ok_or_else(must)?;
    let PathArguments::AngleBracketed(kinds) = &result.arguments else { return Err(must()) };
    let kinds = kinds.args.iter().filter_map(|kind| if let GenericArgument::Type(kind) = kind { Some(kind) } else { None });
    kinds.into_iter().next().ok_or_else(must)
}

/// Whether a type is written as `name`, or as `name<inner>`.
fn is(kind: &Type, name: &str, inner: Option<&str>) -> bool {
    let Type::Path(path) = kind else { return false };
    let Some(segment) = path.path.segments.last().filter(|segment| segment.ident == name) else { return false };
    match (&segment.arguments, inner) {
        (PathArguments::None, None) => true,
        (PathArguments::AngleBracketed(kinds), Some(inner)) => {
            matches!(kinds.args.first(), Some(GenericArgument::Type(kind)) if is(kind, inner, None))
        }
        (PathArguments::None | PathArguments::AngleBracketed(_) | PathArguments::Parenthesized(_), _) => false,
    }
}

/// The doc comment as one text, without the space that stands before each line.
fn description(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        Meta::Path(_) | Meta::List(_) => None,
    });
    let lines: Vec<String> = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use syn::parse_str;

    use super::*;

    fn refusal(attribute: &str, function: &str) -> String {
        let made = parse_str::<Promises>(attribute).and_then(|promises| expand(&promises, &parse_str(function)?));
        made.map(|made| panic!("{function} is a tool: {made}")).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn what_is_no_tool_is_told_what_it_lacks() {
        for (attribute, function, why) in [
            ("", "fn f() -> Result<String, Error> {}", "say in a doc comment"),
            ("", "/// F.\nfn f(a: A, b: B) -> Result<String, Error> {}", "one value at most"),
            ("", "/// F.\nfn f(&self) -> Result<String, Error> {}", "one value at most"),
            ("", "/// F.\nfn f(a: A) -> String {}", "`Result<…, Error>`"),
            ("", "/// F.\nfn f(a: A) {}", "`Result<…, Error>`"),
            ("", "/// F.\nasync fn f(a: A) -> Result<B, Error> {}", "neither async nor generic"),
            ("", "/// F.\nfn f<T>(a: T) -> Result<B, Error> {}", "neither async nor generic"),
            ("harmless", "/// F.\nfn f(a: A) -> Result<B, Error> {}", "a tool promises pure, read_only"),
        ] {
            let refused = refusal(attribute, function);
            assert!(refused.contains(why), "{function}: {refused}");
        }
    }

    #[test]
    fn the_kind_of_an_answer_is_read_from_how_it_is_written() {
        let kind = |written: &str| {
            let function = parse_str(&format!("/// F.\nfn f() -> Result<{written}, Error> {{}}")).expect("a function");
            answered(&function, &quote!(f())).expect("an answer").kind.to_string().replace(' ', "")
        };
        assert_eq!((kind("String").as_str(), kind("Vec<Content>").as_str()), ("String", "Vec<Content>"));
        for data in ["Greeting", "Vec<u8>", "Option<String>"] {
            assert_eq!(kind(data), format!("::wardian_plugin::Data<{data}>"));
        }
    }

    #[test]
    fn a_description_is_the_doc_comment_as_it_reads() {
        let function: ItemFn = parse_str("/// One.\n///\n///   - two \nfn f() {}").expect("a function");
        assert_eq!(description(&function.attrs), "One.\n\n  - two");
    }
}
