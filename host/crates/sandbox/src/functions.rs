//! The shape `functions`: a component that knows nothing of us, whose exported
//! functions are tools where their types are data. The schemas come from the
//! types, the descriptions from what its author left in `package-docs`; asking
//! for them runs none of its code.

pub(crate) mod docs;
mod form;
mod schema_of;
mod value;

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schema::Schema;
use sha2::Digest;
use tool::{Reason, Traits};
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Type, Val};
use wasmtime::{Engine, Store};

use crate::bindings::wardian::plugin::types;
use crate::descriptor::{TOOLS_MAX, Tool};
use crate::guest::Guest;
use crate::outcome::NoAnswer;
use docs::{Docs, TypeDocs};
use form::{Field, Form, snake};
use value::Unwritten;

/// A tool's name.
const NAME_BYTES_MAX: usize = 48;

/// The part of a long name that tells it from others which begin alike.
const HASH_DIGITS: usize = 8;

/// What a function may hand back in one call, as it takes memory here: each value many times
/// what it takes in the guest.
pub(crate) const RESULT_BYTES_MAX: usize = 16 << 20;

/// What is left out is listed so far, and counted beyond: the list is logged and part of refusals.
const SKIPPED_MAX: usize = 20;

/// What is shown of the name of something that is left out, in characters.
const SHOWN_CHARS_MAX: usize = 100;

/// The media type of bytes that nobody said anything about.
pub(crate) const BYTES: &str = "application/octet-stream";

/// What WASI itself defines is for hosts to call.
const WASI: &str = "wasi:";

/// The functions of a component that can be tools, by the tools' names.
pub(crate) struct Functions {
    pre: InstancePre<Guest>,
    tools: BTreeMap<String, Function>,
    /// What is exported and is no tool, each with the reason, and how much more of it there is.
    skipped: Vec<String>,
    /// Functions beyond those that one plugin may have.
    surplus: usize,
}

/// One exported function.
struct Function {
    path: Path,
    index: ComponentExportIndex,
    parameters: Vec<Field>,
    result: Option<Form>,
}

/// Where a function is exported: of an interface, or by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Path {
    interface: Option<String>,
    function: String,
}

impl Functions {
    /// Finds what can be a tool among the exports of a component.
    pub(crate) fn find(engine: &Engine, component: &Component, pre: InstancePre<Guest>) -> Self {
        let mut found = Found::default();
        for (name, item) in component.component_type().exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(ty) => {
                    found.function(component, Path { interface: None, function: name.to_owned() }, &ty, &[])
                }
                ComponentItem::ComponentInstance(_) if name.starts_with(WASI) => found.skip(name, "it is an interface of WASI"),
                ComponentItem::ComponentInstance(instance) => {
                    let named: Vec<(String, Type)> = instance.exports(engine).filter_map(|(name, item)| named(name, item.ty)).collect();
                    for (function, item) in instance.exports(engine) {
                        if let ComponentItem::ComponentFunc(ty) = item.ty {
                            let path = Path { interface: Some(name.to_owned()), function: function.to_owned() };
                            found.function(component, path, &ty, &named);
                        }
                    }
                }
                ComponentItem::Module(_) | ComponentItem::Component(_) => found.skip(name, "it is no function"),
                ComponentItem::CoreFunc(_) | ComponentItem::Type(_) | ComponentItem::Resource(_) => {}
            }
        }
        let Found { functions, mut skipped, surplus } = found;
        let tools = under_names(functions, &mut skipped);
        Self { pre, tools, skipped: skipped.list(), surplus }
    }

    /// Whether there are tools, and not too many of them. Which are left where there are too many is
    /// nothing that this server could choose.
    pub(crate) fn can_serve(&self) -> Result<(), String> {
        if self.surplus > 0 {
            let all = TOOLS_MAX + self.surplus;
            return Err(format!(
                "the component exports {all} functions that could be tools; at most {TOOLS_MAX} are allowed in one plugin: \
                 export fewer, or make several components of it"
            ));
        }
        if self.tools.is_empty() && !self.skipped.is_empty() {
            return Err(format!("nothing that the component exports can be a tool: {}", self.skipped.join("; ")));
        }
        Ok(())
    }

    /// The tools, as a native plugin would describe them.
    pub(crate) fn describe(&self, docs: &Docs) -> Vec<Tool> {
        self.tools.iter().map(|(name, function)| function.describe(name, docs)).collect()
    }

    /// What is exported and is no tool, each with the reason, and how much more of it there is.
    pub(crate) fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// Calls the function behind a tool in a fresh instance.
    pub(crate) async fn call(&self, store: &mut Store<Guest>, call: &types::Call) -> wasmtime::Result<Answer> {
        let Some(function) = self.tools.get(&call.tool) else {
            return Ok(Err(error(Reason::NotFound, format!("there is no function behind {}", call.tool))));
        };
        let input = serde_json::from_str(&call.input)?;
        let arguments = match value::arguments(&function.parameters, &input) {
            Ok(arguments) => arguments,
            Err(why) => return Ok(Err(error(Reason::InvalidInput, why))),
        };
        let instance = self.pre.instantiate_async(&mut *store).await?;
        store.data_mut().instantiated = true;
        let exported = instance.get_func(&mut *store, function.index);
        let exported = exported.ok_or_else(|| NoAnswer::Unfit(format!("the component does not export {}", function.path.text())))?;
        // What stands in it is replaced by the result.
        let mut results = vec![Val::Bool(false); usize::from(function.result.is_some())];
        exported.call_async(&mut *store, &arguments, &mut results).await?;
        let bytes_max = usize::try_from(store.data().limits.output_bytes).unwrap_or(usize::MAX);
        Ok(answer(function.result.as_ref(), results.first(), bytes_max)?)
    }
}

/// What a guest's function answers, in the words of the contract.
pub(crate) type Answer = Result<Vec<types::Content>, types::ToolError>;

/// A failure in the words of the contract.
pub(crate) fn error(reason: Reason, message: String) -> types::ToolError {
    let reason = match reason {
        Reason::InvalidInput => types::Reason::InvalidInput,
        Reason::NotFound => types::Reason::NotFound,
        Reason::Unauthorized => types::Reason::Unauthorized,
        Reason::Refused => types::Reason::Refused,
        Reason::Unavailable => types::Reason::Unavailable,
        Reason::Failed => types::Reason::Failed,
    };
    types::ToolError { reason, message, code: None, retry_after: None }
}

/// A text is a text part, bytes are a file, nothing is no part, and everything else is data.
fn answer(form: Option<&Form>, value: Option<&Val>, bytes_max: usize) -> Result<Answer, NoAnswer> {
    let unwritten = |why| match why {
        Unwritten::TooLong => NoAnswer::TooLarge,
        Unwritten::Unfit(why) => NoAnswer::Unfit(why),
    };
    let json = |form: &Form, value: &Val| value::json(form, value, bytes_max).map_err(unwritten);
    let part = match (form, value) {
        (Some(Form::Result(ok, _)), Some(Val::Result(Ok(value)))) => return answer(ok.as_deref(), value.as_deref(), bytes_max),
        (Some(Form::Result(_, form)), Some(Val::Result(Err(value)))) => {
            let message = match (form.as_deref(), value.as_deref()) {
                (Some(_), Some(Val::String(text))) => text.clone(),
                (Some(form), Some(value)) => json(form, value)?,
                (Some(_) | None, _) => "the function failed and does not say why".to_owned(),
            };
            return Ok(Err(error(Reason::Failed, message)));
        }
        (Some(_), Some(Val::String(text))) => types::Content::Text(text.clone()),
        (Some(Form::Bytes), Some(value)) => {
            let bytes = value::bytes(value).ok_or_else(|| NoAnswer::Unfit("its value is not a list of bytes".into()))?;
            types::Content::Blob(types::Blob { media_type: BYTES.into(), name: None, bytes })
        }
        (Some(form), Some(value)) => types::Content::Data(json(form, value)?),
        (Some(_) | None, _) => return Ok(Ok(Vec::new())),
    };
    Ok(Ok(vec![part]))
}

/// What was found so far.
#[derive(Default)]
struct Found {
    functions: Vec<Function>,
    skipped: Skipped,
    /// Functions beyond those that one plugin may have: counted, not kept.
    surplus: usize,
}

impl Found {
    fn skip(&mut self, what: &str, why: &str) {
        self.skipped.add(what, why);
    }

    fn function(&mut self, component: &Component, path: Path, ty: &ComponentFunc, named: &[(String, Type)]) {
        match read(component, path.clone(), ty, named) {
            Ok(function) if self.functions.len() < TOOLS_MAX => self.functions.push(function),
            Ok(_) => self.surplus += 1,
            Err(why) => self.skip(&path.text(), &why),
        }
    }
}

/// What is no tool: the first of it in alphabetical order, and how much more there is.
#[derive(Default)]
struct Skipped {
    first: BTreeSet<String>,
    more: usize,
}

impl Skipped {
    fn add(&mut self, what: &str, why: &str) {
        let added = self.first.insert(format!("{}: {why}", shown(what)));
        let over = self.first.len() > SKIPPED_MAX;
        if over {
            self.first.pop_last();
        }
        self.more += usize::from(over || !added);
    }

    fn list(self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.first.into_iter().chain(more).collect()
    }
}

fn read(component: &Component, path: Path, ty: &ComponentFunc, named: &[(String, Type)]) -> Result<Function, String> {
    for name in [path.interface.as_deref(), Some(&path.function)].into_iter().flatten() {
        if name.len() > form::NAME_BYTES_MAX {
            return Err(format!("its name has {} bytes; at most {} are allowed", name.len(), form::NAME_BYTES_MAX));
        }
    }
    if path.function.starts_with('[') {
        return Err("it belongs to a resource".into());
    }
    if ty.async_() {
        return Err("it is asynchronous".into());
    }
    let mut reader = form::Reader::new(named);
    let parameters = reader.fields(ty.params())?;
    let result = ty.results().next().map(|ty| reader.form(&ty)).transpose()?;
    let interface = match &path.interface {
        Some(interface) => Some(component.get_export_index(None, interface).ok_or("it is not where its type says")?),
        None => None,
    };
    let index = component.get_export_index(interface.as_ref(), &path.function).ok_or("it is not where its type says")?;
    let function = Function { path, index, parameters, result };
    let input = function.input(&|_| None, &TypeDocs::none());
    Schema::compile(&input).map_err(|fault| format!("its parameters do not fit into a schema: {fault}"))?;
    Ok(function)
}

/// As much of a name as helps to find it.
fn shown(name: &str) -> Cow<'_, str> {
    let end = name.char_indices().nth(SHOWN_CHARS_MAX).map(|(end, _)| end);
    end.map_or(Cow::Borrowed(name), |end| Cow::Owned(format!("{}…", &name[..end])))
}

fn named(name: &str, item: ComponentItem) -> Option<(String, Type)> {
    if let ComponentItem::Type(ty) = item { Some((name.to_owned(), ty)) } else { None }
}

impl Path {
    fn text(&self) -> String {
        match &self.interface {
            Some(interface) => format!("{interface}#{}", self.function),
            None => self.function.clone(),
        }
    }

    /// The last part of the interface's name: `shop` of `acme:market/shop@1.0.0`.
    fn interface_name(&self) -> Option<&str> {
        let name = self.interface.as_deref()?;
        let name = name.rsplit('/').next().unwrap_or(name);
        Some(name.split('@').next().unwrap_or(name))
    }
}

/// Each function under a name of its own: its own where that is enough, with its interface's where
/// it is not, and with a part of a digest where that is not enough either or too long. So a name
/// depends on nothing but which functions there are.
fn under_names(functions: Vec<Function>, skipped: &mut Skipped) -> BTreeMap<String, Function> {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    let long = |path: &Path| match path.interface_name() {
        Some(interface) => format!("{}_{}", snake(interface), snake(&path.function)),
        None => snake(&path.function),
    };
    for function in &functions {
        *uses.entry(snake(&function.path.function)).or_default() += 1;
    }
    let wanted = |path: &Path| {
        let short = snake(&path.function);
        if uses.get(&short).is_some_and(|uses| *uses > 1) { long(path) } else { short }
    };
    let mut again: BTreeMap<String, usize> = BTreeMap::new();
    for function in &functions {
        *again.entry(wanted(&function.path)).or_default() += 1;
    }
    let mut tools = BTreeMap::new();
    for function in functions {
        let name = wanted(&function.path);
        let unique = again.get(&name).is_some_and(|uses| *uses == 1);
        let name = if unique && name.len() <= NAME_BYTES_MAX { name } else { hashed(&name, &function.path.text()) };
        match tools.entry(name) {
            Entry::Vacant(free) => {
                free.insert(function);
            }
            Entry::Occupied(taken) => skipped.add(&function.path.text(), &format!("another function is already called {}", taken.key())),
        }
    }
    tools
}

/// A name cut short, with the beginning of the digest of the whole path.
fn hashed(name: &str, path: &str) -> String {
    let digest = crate::hex(&sha2::Sha256::digest(path.as_bytes()));
    let kept: String = name.chars().take(NAME_BYTES_MAX - HASH_DIGITS - 1).collect();
    format!("{kept}_{}", &digest[..HASH_DIGITS])
}

impl Function {
    fn describe(&self, name: &str, docs: &Docs) -> Tool {
        let interface = self.path.interface_name();
        let fields = docs.types(interface);
        let description = docs.function(interface, &self.path.function).unwrap_or_else(|| match &self.path.interface {
            Some(interface) => format!("The function `{}` of `{interface}`.", self.path.function),
            None => format!("The function `{}`.", self.path.function),
        });
        let usable = |schema: &String| Schema::compile(schema).is_ok();
        // What was written about the fields is left out where it makes a schema too long.
        let bare = || self.input(&|_| None, &TypeDocs::none());
        let input = Some(self.input(&|_| None, &fields)).filter(usable).unwrap_or_else(bare);
        let output = self.output(&fields).filter(usable).or_else(|| self.output(&TypeDocs::none()).filter(usable));
        Tool { name: name.to_owned(), description, input, output, traits: Traits::default(), annotations: None }
    }

    fn input(&self, docs: &dyn Fn(&form::Name) -> Option<String>, types: &TypeDocs<'_>) -> String {
        schema_of::object(&self.parameters, docs, types).to_string()
    }

    /// Of an answer that is an object; there is no schema for others.
    fn output(&self, types: &TypeDocs<'_>) -> Option<String> {
        let form = match self.result.as_ref()? {
            Form::Result(ok, _) => ok.as_deref()?,
            other => other,
        };
        let Form::Record(record) = form else { return None };
        Some(schema_of::record(record, types).to_string())
    }
}

/// The functions, shared by whoever holds the program.
pub(crate) type Shared = Arc<Functions>;

#[cfg(test)]
mod tests;
