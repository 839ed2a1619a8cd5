//! The form of a value that goes into a function or comes out of it: WIT's
//! types as far as they are data, each with the names that it has in JSON.

use std::collections::BTreeSet;

use wasmtime::component::Type;
use wasmtime::component::types::Variant;

/// Parts of one function's types, each use counted: WIT shares types, and a
/// handful of records that hold each other twice would be millions of parts.
/// More than this does not fit into a schema either.
const PARTS_MAX: usize = 512;

/// A name in WIT: a record brings those of its fields into memory once for each value.
pub(super) const NAME_BYTES_MAX: usize = 256;

/// What a value looks like.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    Bool,
    Integer(Integer),
    F32,
    F64,
    Char,
    Text,
    /// A list of bytes.
    Bytes,
    List(Box<Form>),
    Record(Record),
    Tuple(Vec<Form>),
    Variant(Vec<Case>),
    Enum(Vec<Name>),
    Flags(Vec<Name>),
    Option(Box<Form>),
    Result(Option<Box<Form>>, Option<Box<Form>>),
}

/// The kinds of integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Integer {
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
}

/// A name in WIT, and in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub wit: String,
    pub json: String,
}

/// A record, or the parameters of a function.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// The name under which its interface exports the type, where it does.
    pub named: Option<String>,
    pub fields: Vec<Field>,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub name: Name,
    pub form: Form,
}

/// A case of a variant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    pub name: Name,
    pub payload: Option<Form>,
}

impl Integer {
    /// The least and the greatest.
    pub(super) fn bounds(self) -> (i128, i128) {
        match self {
            Self::S8 => (i8::MIN.into(), i8::MAX.into()),
            Self::U8 => (0, u8::MAX.into()),
            Self::S16 => (i16::MIN.into(), i16::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::S32 => (i32::MIN.into(), i32::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::S64 => (i64::MIN.into(), i64::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
        }
    }

    /// Whether there are values that a JSON number does not hold exactly everywhere.
    pub(super) fn is_wide(self) -> bool {
        matches!(self, Self::S64 | Self::U64)
    }
}

impl Name {
    pub(super) fn new(wit: &str) -> Self {
        Self { wit: wit.to_owned(), json: snake(wit) }
    }
}

impl Form {
    /// Whether a field of this form may be left out.
    pub(super) fn is_optional(&self) -> bool {
        matches!(self, Self::Option(_))
    }
}

/// A kebab-case name as JSON has it.
pub(super) fn snake(kebab: &str) -> String {
    kebab.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// Turns the types of one function into forms, and counts their parts.
pub(super) struct Reader<'a> {
    /// The types that the function's interface exports by name.
    pub named: &'a [(String, Type)],
    parts: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(named: &'a [(String, Type)]) -> Self {
        Self { named, parts: 0 }
    }

    /// The parameters of a function, or the fields of a record.
    pub(super) fn fields<'t>(&mut self, fields: impl Iterator<Item = (&'t str, Type)>) -> Result<Vec<Field>, String> {
        let fields = fields.map(|(name, ty)| Ok(Field { name: bounded(name)?, form: self.form(&ty)? }));
        let fields: Vec<Field> = fields.collect::<Result<_, String>>()?;
        distinct(fields.iter().map(|field| &field.name))?;
        Ok(fields)
    }

    /// The form of a type, or why it is not data.
    pub(super) fn form(&mut self, ty: &Type) -> Result<Form, String> {
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(format!("its types have more than {PARTS_MAX} parts"));
        }
        Ok(match ty {
            Type::Bool => Form::Bool,
            Type::S8 => Form::Integer(Integer::S8),
            Type::U8 => Form::Integer(Integer::U8),
            Type::S16 => Form::Integer(Integer::S16),
            Type::U16 => Form::Integer(Integer::U16),
            Type::S32 => Form::Integer(Integer::S32),
            Type::U32 => Form::Integer(Integer::U32),
            Type::S64 => Form::Integer(Integer::S64),
            Type::U64 => Form::Integer(Integer::U64),
            Type::Float32 => Form::F32,
            Type::Float64 => Form::F64,
            Type::Char => Form::Char,
            Type::String => Form::Text,
            Type::List(list) if list.ty() == Type::U8 => Form::Bytes,
            Type::List(list) => Form::List(Box::new(self.form(&list.ty())?)),
            Type::Record(record) => {
                let named = self.named.iter().find(|(name, named)| name.len() <= NAME_BYTES_MAX && named == ty);
                let named = named.map(|(name, _)| name.clone());
                let fields = self.fields(record.fields().map(|field| (field.name, field.ty)))?;
                Form::Record(Record { named, fields })
            }
            Type::Tuple(tuple) => Form::Tuple(tuple.types().map(|ty| self.form(&ty)).collect::<Result<_, _>>()?),
            Type::Variant(variant) => Form::Variant(self.cases(variant)?),
            Type::Enum(cases) => Form::Enum(self.names(cases.names())?),
            Type::Flags(flags) => Form::Flags(self.names(flags.names())?),
            Type::Option(option) => match self.form(&option.ty())? {
                Form::Option(_) => return Err("an option of an option cannot be told apart in JSON".into()),
                inner => Form::Option(Box::new(inner)),
            },
            Type::Result(result) => Form::Result(self.maybe(result.ok())?, self.maybe(result.err())?),
            Type::Own(_) | Type::Borrow(_) => return Err("it takes or gives a resource".into()),
            Type::Future(_) | Type::Stream(_) | Type::ErrorContext => return Err("it takes or gives a stream or a future".into()),
            Type::Map(_) | Type::FixedLengthList(_) => return Err("it takes or gives a map or a list of fixed length".into()),
        })
    }

    fn cases(&mut self, variant: &Variant) -> Result<Vec<Case>, String> {
        let cases = variant.cases().map(|case| {
            let payload = case.ty.map(|ty| self.form(&ty)).transpose()?;
            Ok(Case { name: bounded(case.name)?, payload })
        });
        let cases: Vec<Case> = cases.collect::<Result<_, String>>()?;
        distinct(cases.iter().map(|case| &case.name))?;
        Ok(cases)
    }

    fn names<'n>(&mut self, names: impl Iterator<Item = &'n str>) -> Result<Vec<Name>, String> {
        let names: Vec<Name> = names.map(bounded).collect::<Result<_, _>>()?;
        self.parts += names.len();
        distinct(names.iter())?;
        Ok(names)
    }

    fn maybe(&mut self, ty: Option<Type>) -> Result<Option<Box<Form>>, String> {
        ty.map(|ty| self.form(&ty).map(Box::new)).transpose()
    }
}

/// A name of the function's types, unless it is too long.
fn bounded(name: &str) -> Result<Name, String> {
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("a name in its types has {} bytes; at most {NAME_BYTES_MAX} are allowed", name.len()));
    }
    Ok(Name::new(name))
}

/// Refuses names that JSON could not tell apart.
fn distinct<'n>(names: impl Iterator<Item = &'n Name>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(&name.json) {
            return Err(format!("two of its names are written {} in JSON", name.json));
        }
    }
    Ok(())
}
