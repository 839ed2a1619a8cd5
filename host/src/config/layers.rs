//! The layers: defaults, then the file, then the environment, then flags.
//!
//! A variable is named after a setting: `WARDIAN_` and its path in capitals, dots
//! and dashes as `_`. Which settings there are is read from the example file,
//! and from the sections that the operator's own file has.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::complaint::{Complaint, Complaints};
use super::file::{File, LogFormat};
use super::settings::Settings;
use super::{DEFAULT_FILE, EXAMPLE, switched_on};

/// What the command line says about settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// `--config`
    pub(crate) config: Option<PathBuf>,
    /// `--listen`
    pub(crate) listen: Option<String>,
    /// `--data`
    pub(crate) data: Option<PathBuf>,
    /// `--plugins`
    pub(crate) plugins: Option<PathBuf>,
    /// `--model`
    pub(crate) model: Option<String>,
    /// `--log`
    pub(crate) log: Option<LogFormat>,
    /// `--log-level`
    pub(crate) log_level: Option<String>,
}

/// From where the configuration comes.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    /// The command line.
    pub(crate) flags: Flags,
    /// The environment's variables that begin with `WARDIAN_`.
    pub(crate) environment: Vec<(String, String)>,
    /// The directory in which the program was started.
    pub(crate) here: PathBuf,
}

/// A file of the operator's that is not read whole above this: a configuration is text of a few pages.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Settings that are paths: relative to the file where the file has them, and to
/// the current directory where a flag or a variable does.
const PATHS: [&str; 4] = ["data", "plugins", "server.tls.cert", "server.tls.key"];

/// Variables that are no settings of the file.
const OTHER_VARIABLES: [&str; 3] = ["WARDIAN_OWNER_KEY", "WARDIAN_LOG", "WARDIAN_CONFIG"];

impl Sources {
    /// The process's own environment and directory.
    pub(crate) fn of_process(flags: Flags) -> std::io::Result<Self> {
        let environment = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let environment = environment.filter(|(name, _)| name.starts_with("WARDIAN_")).collect();
        Ok(Self { flags, environment, here: std::env::current_dir()? })
    }

    /// Where the file is, if there is one. A file that was named has to be there.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let named = self.flags.config.clone().or_else(|| self.variable("WARDIAN_CONFIG").map(PathBuf::from));
        match named {
            Some(path) => Some(self.here.join(path)),
            None => Some(self.here.join(DEFAULT_FILE)).filter(|path| path.exists()),
        }
    }

    /// Reads, layers and checks everything.
    pub(crate) fn load(&self) -> Result<Settings, Complaints> {
        let path = self.path();
        let text = path.as_deref().map(read).transpose()?.unwrap_or_default();
        self.layered(path, &text)
    }

    /// The same of a file that was read already.
    pub(crate) fn layered(&self, path: Option<PathBuf>, text: &str) -> Result<Settings, Complaints> {
        let base = path.as_deref().and_then(Path::parent).unwrap_or(&self.here).to_owned();
        let mut table = match &path {
            Some(path) => well_formed(path, text)?,
            None => Table::new(),
        };
        self.lay_environment(&mut table)?;
        self.lay_flags(&mut table);
        // The layers were each found well-formed; what is left is a flag's or a variable's value in the wrong place.
        let file: File = table.try_into().map_err(|error| Complaint::of("configuration", &error))?;
        Settings::check(file, path, text, base)
    }

    /// Variables that look like settings and are none: likely misspelt. Only
    /// worth a warning, because clusters make variables of their own for a
    /// service that is called `wardian`.
    pub(crate) fn strangers(&self) -> Vec<String> {
        let known = leaves(&template());
        let is_known = |name: &str| OTHER_VARIABLES.contains(&name) || known.iter().any(|(path, _)| variable(path) == name);
        self.environment
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| !is_known(name) && !name.starts_with("WARDIAN_MODELS_"))
            .collect()
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// Lays every variable that names a setting. Where the result is no
    /// configuration, the variable without which it would be one is named.
    fn lay_environment(&self, table: &mut Table) -> Result<(), Complaints> {
        let mut laid = Vec::new();
        if let Some(level) = self.variable("WARDIAN_LOG") {
            laid.push(("WARDIAN_LOG".to_owned(), "log.level".to_owned(), Value::String(level.to_owned())));
        }
        let mut settings = leaves(&template());
        settings.extend(leaves(table));
        for (path, kind) in settings {
            let name = variable(&path);
            let Some(text) = self.variable(&name) else { continue };
            let mut value = parsed(text, &kind).map_err(|message| Complaint::new(&*name, message))?;
            if let (true, Some(path)) = (PATHS.contains(&&*path), value.as_str()) {
                value = Value::String(self.here.join(path).to_string_lossy().into_owned());
            }
            laid.push((name, path, value));
        }
        let without = |left_out: Option<usize>| {
            let mut table = table.clone();
            let kept = laid.iter().enumerate().filter(|(index, _)| Some(*index) != left_out);
            kept.for_each(|(_, (_, path, value))| set(&mut table, path, value.clone()));
            table
        };
        let whole = without(None);
        if let Err(error) = whole.clone().try_into::<File>() {
            let guilty = (0..laid.len()).find(|index| without(Some(*index)).try_into::<File>().is_ok());
            let place = guilty.map_or("environment", |index| &laid[index].0);
            return Err(Complaint::of(place, &error).into());
        }
        *table = whole;
        Ok(())
    }

    fn lay_flags(&self, table: &mut Table) {
        let Flags { config: _, listen, data, plugins, model, log, log_level } = &self.flags;
        let path = |path: &PathBuf| self.here.join(path).to_string_lossy().into_owned();
        let word = |format: &LogFormat| match format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        };
        let given = [
            ("listen", listen.clone()),
            ("data", data.as_ref().map(path)),
            ("plugins", plugins.as_ref().map(path)),
            ("log.format", log.as_ref().map(word)),
            ("log.level", log_level.clone()),
        ];
        for (path, value) in given {
            if let Some(value) = value {
                set(table, path, Value::String(value));
            }
        }
        if let Some(model) = model {
            lay_model(table, model, &self.here);
        }
    }
}

/// `--model NAME` makes another entry of `[models]` the default one;
/// `--model PROVIDER` and `--model PROVIDER:MODEL` need no entry.
fn lay_model(table: &mut Table, choice: &str, here: &Path) {
    let existing = table.get("models").and_then(Value::as_table).and_then(|models| models.get(choice)).filter(|it| it.is_table()).cloned();
    let entry = existing.unwrap_or_else(|| {
        let (provider, model) = choice.split_once(':').map_or((choice, None), |(provider, model)| (provider, Some(model)));
        let mut entry = Table::new();
        entry.insert("provider".into(), Value::String(provider.to_owned()));
        match model {
            Some(script) if provider == "scripted" => {
                entry.insert("script".into(), Value::String(here.join(script).to_string_lossy().into_owned()));
            }
            Some(model) => {
                entry.insert("model".into(), Value::String(model.to_owned()));
            }
            None => {}
        }
        Value::Table(entry)
    });
    set(table, "models.default", entry);
}

/// A file's text, with a sentence where it can't be had.
pub(crate) fn read(path: &Path) -> Result<String, Complaint> {
    let refused = |why: String| {
        Complaint::new(path.display().to_string(), format!("cannot read the configuration file: {why}"))
            .help("name another with --config, or write one with `wardian init`")
    };
    let size = std::fs::metadata(path).map_err(|error| refused(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(refused(format!("it is larger than {} MiB", FILE_BYTES_MAX >> 20)));
    }
    std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))
}

/// The file as a table, once its form was found right with places at hand.
fn well_formed(path: &Path, text: &str) -> Result<Table, Complaint> {
    toml::from_str::<File>(text).map_err(|error| Complaint::in_file(path, text, &error))?;
    text.parse().map_err(|error| Complaint::in_file(path, text, &error))
}

fn template() -> Table {
    switched_on(EXAMPLE).parse().expect("the example file is tested to be well-formed")
}

/// Every setting with its path; tables inside arrays have no variable.
fn leaves(table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(inner) => found.extend(leaves(inner).into_iter().map(|(path, value)| (format!("{name}.{path}"), value))),
            Value::Array(items) if items.iter().any(Value::is_table) => {}
            leaf => found.push((name.clone(), leaf.clone())),
        }
    }
    found
}

/// The variable of a setting.
fn variable(path: &str) -> String {
    format!("WARDIAN_{}", path.to_uppercase().replace(['.', '-'], "_"))
}

/// A variable's text as the kind of value that the setting has.
fn parsed(text: &str, kind: &Value) -> Result<Value, String> {
    match kind {
        Value::Integer(_) => text.trim().parse().map(Value::Integer).map_err(|_| format!("{text:?} is not a whole number")),
        Value::Float(_) => text.trim().parse().map(Value::Float).map_err(|_| format!("{text:?} is not a number")),
        Value::Boolean(_) => text.trim().parse().map(Value::Boolean).map_err(|_| format!("{text:?} is neither true nor false")),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        Value::String(_) | Value::Datetime(_) | Value::Table(_) => Ok(Value::String(text.to_owned())),
    }
}

/// Puts a value at a path, making tables on the way.
fn set(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            if let Value::Table(inner) = table.entry(first).or_insert_with(|| Value::Table(Table::new())) {
                set(inner, rest, value);
            }
        }
    }
}
