//! From JSON to the values of a function and back.

use std::fmt::Write;

use data_encoding::BASE64;
use serde_json::{Map, Value};
use wasmtime::component::Val;

use super::form::{Case, Field, Form, Integer, Name};
use super::schema_of::DIGITS_MAX;

/// Values in the arguments of one call, each byte of a list of bytes counted.
/// In memory each takes many times its place in the text, and fields that may be left out
/// take none in the text at all.
const VALUES_MAX: usize = 1 << 18;

/// The names in the arguments of one call, each time that one stands there: the machine wants
/// those of fields with each record, and nothing shares them. So many values with names of 32 bytes.
const NAMES_BYTES_MAX: usize = VALUES_MAX * 32;

/// The greatest integer up to which every JSON reader keeps all integers apart.
const EXACT_MAX: u128 = 1 << 53;

/// The arguments of a function from an object, or where it does not fit, and why.
pub(super) fn arguments(parameters: &[Field], input: &Value) -> Result<Vec<Val>, String> {
    let mut reader = Reader { values_left: VALUES_MAX, names_bytes_left: NAMES_BYTES_MAX };
    Ok(reader.fields(parameters, input, "")?.into_iter().map(|(_, value)| value).collect())
}

struct Reader {
    values_left: usize,
    names_bytes_left: usize,
}

impl Reader {
    fn take(&mut self, values: usize) -> Result<(), String> {
        let left = self.values_left.checked_sub(values);
        self.values_left = left.ok_or_else(|| format!("there are more than {VALUES_MAX} values in it; send less"))?;
        Ok(())
    }

    /// A name as the machine wants it, in memory of its own.
    fn name(&mut self, name: &Name) -> Result<String, String> {
        let left = self.names_bytes_left.checked_sub(name.wit.len());
        self.names_bytes_left = left.ok_or_else(|| format!("the names in it take more than {NAMES_BYTES_MAX} bytes; send less"))?;
        Ok(name.wit.clone())
    }

    fn known(&mut self, names: &[Name], written: &str, at: &str) -> Result<String, String> {
        let found = names.iter().find(|name| name.json == written);
        self.name(found.ok_or_else(|| unknown(at, written, names.iter().map(|name| &*name.json)))?)
    }

    fn fields(&mut self, fields: &[Field], value: &Value, at: &str) -> Result<Vec<(String, Val)>, String> {
        let members = value.as_object().ok_or_else(|| wrong(at, "an object"))?;
        if let Some(unknown) = members.keys().find(|key| !fields.iter().any(|field| field.name.json == **key)) {
            return Err(format!("{}: there is no {unknown:?}", place(at)));
        }
        let each = |field: &Field| {
            let at = format!("{at}/{}", field.name.json);
            let value = match (members.get(&field.name.json), field.form.is_optional()) {
                (Some(value), _) => self.value(&field.form, value, &at)?,
                (None, true) => {
                    self.take(1)?;
                    Val::Option(None)
                }
                (None, false) => return Err(format!("{at}: it is missing")),
            };
            Ok((self.name(&field.name)?, value))
        };
        fields.iter().map(each).collect()
    }

    fn value(&mut self, form: &Form, value: &Value, at: &str) -> Result<Val, String> {
        self.take(1)?;
        Ok(match form {
            Form::Bool => Val::Bool(value.as_bool().ok_or_else(|| wrong(at, "true or false"))?),
            Form::Integer(kind) => integer(*kind, value, at)?,
            Form::F32 => Val::Float32(float32(value, at)?),
            Form::F64 => Val::Float64(value.as_f64().ok_or_else(|| wrong(at, "a number"))?),
            Form::Char => {
                let mut chars = text(value, at)?.chars();
                match (chars.next(), chars.next()) {
                    (Some(char), None) => Val::Char(char),
                    (Some(_) | None, _) => return Err(wrong(at, "one character")),
                }
            }
            Form::Text => Val::String(text(value, at)?.to_owned()),
            Form::Bytes => {
                let bytes = BASE64.decode(text(value, at)?.as_bytes()).map_err(|error| format!("{at}: it is not base64: {error}"))?;
                self.take(bytes.len())?;
                Val::List(bytes.into_iter().map(Val::U8).collect())
            }
            Form::List(item) => Val::List(self.items(std::iter::repeat(&**item), array(value, at)?, at)?),
            Form::Record(record) => Val::Record(self.fields(&record.fields, value, at)?),
            Form::Tuple(forms) => {
                let items = array(value, at)?;
                if items.len() != forms.len() {
                    return Err(wrong(at, &format!("an array of {} items", forms.len())));
                }
                Val::Tuple(self.items(forms.iter(), items, at)?)
            }
            Form::Variant(cases) => {
                let (name, payload) = chosen(value, at)?;
                let Some(Case { name, payload: form }) = cases.iter().find(|case| case.name.json == name) else {
                    return Err(unknown(at, name, cases.iter().map(|case| &*case.name.json)));
                };
                Val::Variant(self.name(name)?, self.payload(form.as_ref(), payload, &format!("{at}/{}", name.json))?)
            }
            Form::Enum(names) => Val::Enum(self.known(names, text(value, at)?, at)?),
            Form::Flags(names) => {
                let set = array(value, at)?.iter().map(|flag| self.known(names, text(flag, at)?, at));
                Val::Flags(set.collect::<Result<_, _>>()?)
            }
            Form::Option(_) if value.is_null() => Val::Option(None),
            Form::Option(inner) => Val::Option(Some(Box::new(self.value(inner, value, at)?))),
            Form::Result(ok, error) => match chosen(value, at)? {
                ("ok", payload) => Val::Result(Ok(self.payload(ok.as_deref(), payload, &format!("{at}/ok"))?)),
                ("error", payload) => Val::Result(Err(self.payload(error.as_deref(), payload, &format!("{at}/error"))?)),
                (other, _) => return Err(unknown(at, other, ["ok", "error"].into_iter())),
            },
        })
    }

    fn items<'f>(&mut self, forms: impl Iterator<Item = &'f Form>, items: &[Value], at: &str) -> Result<Vec<Val>, String> {
        let each = |(index, (form, item)): (usize, (&Form, &Value))| self.value(form, item, &format!("{at}/{index}"));
        forms.zip(items).enumerate().map(each).collect()
    }

    fn payload(&mut self, form: Option<&Form>, value: Option<&Value>, at: &str) -> Result<Option<Box<Val>>, String> {
        match (form, value) {
            (Some(form), Some(value)) => self.value(form, value, at).map(|value| Some(Box::new(value))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(format!("{at}: it is missing")),
            (None, Some(_)) => Err(format!("{at}: this case has no value; write its name alone")),
        }
    }
}

fn integer(kind: Integer, value: &Value, at: &str) -> Result<Val, String> {
    let (least, most) = kind.bounds();
    let read = match value {
        Value::Number(number) => whole(number),
        Value::String(text) if kind.is_wide() && text.len() <= DIGITS_MAX => text.parse::<i128>().ok(),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let fits = read.filter(|n| (least..=most).contains(n)).ok_or_else(|| wrong(at, &format!("an integer from {least} to {most}")))?;
    let outside = |_| wrong(at, "an integer");
    Ok(match kind {
        Integer::S8 => Val::S8(fits.try_into().map_err(outside)?),
        Integer::U8 => Val::U8(fits.try_into().map_err(outside)?),
        Integer::S16 => Val::S16(fits.try_into().map_err(outside)?),
        Integer::U16 => Val::U16(fits.try_into().map_err(outside)?),
        Integer::S32 => Val::S32(fits.try_into().map_err(outside)?),
        Integer::U32 => Val::U32(fits.try_into().map_err(outside)?),
        Integer::S64 => Val::S64(fits.try_into().map_err(outside)?),
        Integer::U64 => Val::U64(fits.try_into().map_err(outside)?),
    })
}

/// A number as an integer: JSON Schema takes 5.0 for one.
fn whole(number: &serde_json::Number) -> Option<i128> {
    let exact = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    // Beyond 2^53 a fraction was rounded away, and nobody knows which integer was meant.
    let rounded = || number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() <= EXACT_MAX as f64).map(|n| n as i128);
    exact.or_else(rounded)
}

fn float32(value: &Value, at: &str) -> Result<f32, String> {
    let wide = value.as_f64().ok_or_else(|| wrong(at, "a number"))?;
    let narrow = wide as f32;
    if narrow.is_finite() { Ok(narrow) } else { Err(wrong(at, "a number of at most 32 bits")) }
}

/// A case by its name alone, or as an object with one property.
fn chosen<'v>(value: &'v Value, at: &str) -> Result<(&'v str, Option<&'v Value>), String> {
    match value {
        Value::String(name) => Ok((name, None)),
        Value::Object(members) if members.len() == 1 => only(members).ok_or_else(|| wrong(at, CASE)),
        Value::Object(_) | Value::Array(_) | Value::Number(_) | Value::Bool(_) | Value::Null => Err(wrong(at, CASE)),
    }
}

const CASE: &str = "the name of a case, or an object with that one property";

fn only(members: &Map<String, Value>) -> Option<(&str, Option<&Value>)> {
    members.iter().next().map(|(name, value)| (&**name, Some(value)))
}

/// Names shown in a refusal; a longer list helps nobody.
const NAMES_SHOWN_MAX: usize = 20;

/// What is shown of a name that is none.
const NAME_SHOWN_CHARS_MAX: usize = 48;

fn unknown<'n>(at: &str, written: &str, names: impl Iterator<Item = &'n str>) -> String {
    let written: String = written.chars().take(NAME_SHOWN_CHARS_MAX).collect();
    let names: Vec<&str> = names.take(NAMES_SHOWN_MAX).collect();
    format!("{}: {written:?} is none of {}", place(at), names.join(", "))
}

fn text<'v>(value: &'v Value, at: &str) -> Result<&'v str, String> {
    value.as_str().ok_or_else(|| wrong(at, "a string"))
}

fn array<'v>(value: &'v Value, at: &str) -> Result<&'v [Value], String> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| wrong(at, "an array"))
}

fn wrong(at: &str, wanted: &str) -> String {
    format!("{}: it has to be {wanted}", place(at))
}

fn place(at: &str) -> &str {
    if at.is_empty() { "at the root" } else { at }
}

/// Why a value was not written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unwritten {
    /// It would be longer than allowed.
    TooLong,
    /// There is no JSON for it.
    Unfit(String),
}

/// A function's value as JSON text of at most so many bytes.
pub(super) fn json(form: &Form, value: &Val, bytes_max: usize) -> Result<String, Unwritten> {
    let mut writer = Writer { text: String::new(), bytes_max };
    writer.value(form, value)?;
    Ok(writer.text)
}

/// The bytes of a list of bytes.
pub(super) fn bytes(value: &Val) -> Option<Vec<u8>> {
    let Val::List(items) = value else { return None };
    items.iter().map(|item| if let Val::U8(byte) = item { Some(*byte) } else { None }).collect()
}

struct Writer {
    text: String,
    bytes_max: usize,
}

impl Writer {
    fn put(&mut self, text: &str) -> Result<(), Unwritten> {
        if self.text.len() + text.len() > self.bytes_max {
            return Err(Unwritten::TooLong);
        }
        self.text.push_str(text);
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), Unwritten> {
        // Escaping only makes it longer.
        if self.text.len() + text.len() > self.bytes_max {
            return Err(Unwritten::TooLong);
        }
        self.put(&Value::from(text).to_string())
    }

    fn number(&mut self, number: impl std::fmt::Display) -> Result<(), Unwritten> {
        let mut digits = String::new();
        let _ = write!(digits, "{number}");
        self.put(&digits)
    }

    fn value(&mut self, form: &Form, value: &Val) -> Result<(), Unwritten> {
        match (form, value) {
            (Form::Bool, Val::Bool(it)) => self.put(if *it { "true" } else { "false" }),
            (Form::Integer(_), Val::S8(n)) => self.number(n),
            (Form::Integer(_), Val::U8(n)) => self.number(n),
            (Form::Integer(_), Val::S16(n)) => self.number(n),
            (Form::Integer(_), Val::U16(n)) => self.number(n),
            (Form::Integer(_), Val::S32(n)) => self.number(n),
            (Form::Integer(_), Val::U32(n)) => self.number(n),
            (Form::Integer(_), Val::S64(n)) => self.wide(n.unsigned_abs().into(), n),
            (Form::Integer(_), Val::U64(n)) => self.wide((*n).into(), n),
            // By way of its own digits: 0.1 of 32 bits is 0.10000000149011612 of 64.
            (Form::F32, Val::Float32(n)) => self.float(n.to_string().parse().unwrap_or(f64::NAN)),
            (Form::F64, Val::Float64(n)) => self.float(*n),
            (Form::Char, Val::Char(char)) => self.string(char.encode_utf8(&mut [0; 4])),
            (Form::Text, Val::String(text)) => self.string(text),
            (Form::Bytes, value) => {
                let bytes = bytes(value).ok_or_else(stranger)?;
                self.string(&BASE64.encode(&bytes))
            }
            (Form::List(item), Val::List(items)) => self.array(std::iter::repeat(&**item).zip(items)),
            (Form::Tuple(forms), Val::Tuple(items)) => self.array(forms.iter().zip(items)),
            (Form::Record(record), Val::Record(values)) => {
                let given = record.fields.iter().zip(values).filter(|(_, (_, value))| !matches!(value, Val::Option(None)));
                self.object(given.map(|(field, (_, value))| (&*field.name.json, &field.form, value)))
            }
            (Form::Variant(cases), Val::Variant(name, payload)) => {
                let case = cases.iter().find(|case| case.name.wit == *name).ok_or_else(stranger)?;
                self.case(&case.name.json, case.payload.as_ref(), payload.as_deref())
            }
            (Form::Enum(names), Val::Enum(name)) => self.name(names, name),
            (Form::Flags(names), Val::Flags(set)) => {
                self.put("[")?;
                for (index, flag) in set.iter().enumerate() {
                    self.put(if index == 0 { "" } else { "," })?;
                    self.name(names, flag)?;
                }
                self.put("]")
            }
            (Form::Option(_), Val::Option(None)) => self.put("null"),
            (Form::Option(inner), Val::Option(Some(value))) => self.value(inner, value),
            (Form::Result(ok, _), Val::Result(Ok(value))) => self.case("ok", ok.as_deref(), value.as_deref()),
            (Form::Result(_, error), Val::Result(Err(value))) => self.case("error", error.as_deref(), value.as_deref()),
            // The machine checked the types: no other pair exists.
            _ => Err(stranger()),
        }
    }

    /// As a number where every reader keeps it, else as text.
    fn wide(&mut self, size: u128, number: impl std::fmt::Display) -> Result<(), Unwritten> {
        if size <= EXACT_MAX { self.number(number) } else { self.string(&number.to_string()) }
    }

    fn float(&mut self, number: f64) -> Result<(), Unwritten> {
        let number = serde_json::Number::from_f64(number);
        self.number(number.ok_or_else(|| Unwritten::Unfit("there is no JSON for a number that is infinite or none".into()))?)
    }

    fn array<'v>(&mut self, items: impl Iterator<Item = (&'v Form, &'v Val)>) -> Result<(), Unwritten> {
        self.put("[")?;
        for (index, (form, item)) in items.enumerate() {
            self.put(if index == 0 { "" } else { "," })?;
            self.value(form, item)?;
        }
        self.put("]")
    }

    fn object<'v>(&mut self, members: impl Iterator<Item = (&'v str, &'v Form, &'v Val)>) -> Result<(), Unwritten> {
        self.put("{")?;
        for (index, (name, form, value)) in members.enumerate() {
            self.put(if index == 0 { "" } else { "," })?;
            self.string(name)?;
            self.put(":")?;
            self.value(form, value)?;
        }
        self.put("}")
    }

    fn case(&mut self, name: &str, form: Option<&Form>, payload: Option<&Val>) -> Result<(), Unwritten> {
        match (form, payload) {
            (Some(form), Some(payload)) => self.object(std::iter::once((name, form, payload))),
            (Some(_) | None, _) => self.string(name),
        }
    }

    fn name(&mut self, names: &[Name], written: &str) -> Result<(), Unwritten> {
        let name = names.iter().find(|name| name.wit == written).ok_or_else(stranger)?;
        self.string(&name.json)
    }
}

fn stranger() -> Unwritten {
    Unwritten::Unfit("its value is not of the function's own type".into())
}
