//! Forms, their schemas, and values on both ways, without a component.

use schema::Schema;
use serde_json::{Value, json};
use wasmtime::component::Val;

use super::docs::{Docs, TypeDocs};
use super::form::{Case, Field, Form, Integer, Name, Record};
use super::value::Unwritten;
use super::{Skipped, hashed, schema_of, value};

fn field(name: &str, form: Form) -> Field {
    Field { name: Name::new(name), form }
}

fn record(fields: Vec<Field>) -> Form {
    Form::Record(Record { named: Some("point".into()), fields })
}

fn names(names: &[&str]) -> Vec<Name> {
    names.iter().map(|name| Name::new(name)).collect()
}

fn cases() -> Form {
    Form::Variant(vec![
        Case { name: Name::new("any-one"), payload: None },
        Case { name: Name::new("at-most"), payload: Some(Form::Integer(Integer::U8)) },
    ])
}

/// A parameter of every kind.
fn parameters() -> Vec<Field> {
    vec![
        field("is-it", Form::Bool),
        field("small", Form::Integer(Integer::S8)),
        field("large", Form::Integer(Integer::U64)),
        field("half", Form::F32),
        field("real", Form::F64),
        field("letter", Form::Char),
        field("text", Form::Text),
        field("raw", Form::Bytes),
        field("list", Form::List(Box::new(Form::Integer(Integer::U16)))),
        field("place", record(vec![field("x-y", Form::F64), field("note", Form::Option(Box::new(Form::Text)))])),
        field("pair", Form::Tuple(vec![Form::Text, Form::Bool])),
        field("which", cases()),
        field("side", Form::Enum(names(&["far-left", "right"]))),
        field("set", Form::Flags(names(&["read-it", "write-it"]))),
        field("outcome", Form::Result(Some(Box::new(Form::Text)), None)),
        field("maybe", Form::Option(Box::new(Form::Integer(Integer::S64)))),
    ]
}

fn example() -> Value {
    json!({
        "is_it": true, "small": -128, "large": "18446744073709551615", "half": 0.1, "real": -2.5, "letter": "é", "text": "a\nb",
        "raw": "AAH/", "list": [1, 65535], "place": {"x_y": 1.5}, "pair": ["a", false], "which": {"at_most": 7}, "side": "far_left",
        "set": ["write_it"], "outcome": {"ok": "fine"}, "maybe": 9_007_199_254_740_992_i64
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut input = example();
    input[name] = value;
    input
}

fn schema() -> Schema {
    Schema::compile(&schema_of::object(&parameters(), &|_| None, &TypeDocs::none()).to_string()).unwrap()
}

#[test]
fn every_kind_of_value_goes_in_and_comes_out_as_it_was() {
    let (parameters, input) = (parameters(), example());
    assert_eq!(schema().check(&input), Ok(()));
    let values = value::arguments(&parameters, &input).unwrap();
    for (field, value) in parameters.iter().zip(&values) {
        let written: Value = serde_json::from_str(&value::json(&field.form, value, 1_000).unwrap()).unwrap();
        assert_eq!(written, input[&field.name.json], "{}", field.name.wit);
    }
    assert_eq!(values[11], Val::Variant("at-most".into(), Some(Box::new(Val::U8(7)))));
    assert_eq!(values[7], Val::List(vec![Val::U8(0), Val::U8(1), Val::U8(255)]));
}

#[test]
fn several_spellings_are_taken_for_the_same() {
    let one = |name: &str, value: Value| {
        let at = parameters().iter().position(|field| field.name.json == name).unwrap();
        let input = with(name, value);
        assert_eq!(schema().check(&input), Ok(()), "{input}");
        value::arguments(&parameters(), &input).unwrap().swap_remove(at)
    };
    assert_eq!(one("large", json!(5)), Val::U64(5));
    assert_eq!(one("large", json!("5")), Val::U64(5));
    assert_eq!(one("large", json!(u64::MAX)), Val::U64(u64::MAX));
    assert_eq!(one("small", json!(5.0)), Val::S8(5));
    assert_eq!(one("maybe", Value::Null), Val::Option(None));
    assert_eq!(one("maybe", json!("-9223372036854775808")), Val::Option(Some(Box::new(Val::S64(i64::MIN)))));
    assert_eq!(one("which", json!("any_one")), Val::Variant("any-one".into(), None));
    assert_eq!(one("outcome", json!("error")), Val::Result(Err(None)));
    let mut input = example();
    input.as_object_mut().unwrap().remove("maybe");
    assert_eq!(schema().check(&input), Ok(()));
    assert_eq!(value::arguments(&parameters(), &input).unwrap().pop(), Some(Val::Option(None)));
}

#[test]
fn what_does_not_fit_is_refused_with_its_place_by_the_schema_or_after_it() {
    for (name, value, why) in [
        ("is_it", json!("true"), "/is_it: it has to be true or false"),
        ("small", json!(128), "/small: it has to be an integer from -128 to 127"),
        ("small", json!("5"), "/small: it has to be an integer"),
        ("small", json!(1.5), "/small: it has to be an integer"),
        ("large", json!(-1), "/large: it has to be an integer from 0 to 18446744073709551615"),
        ("large", json!("18446744073709551616"), "/large: it has to be an integer"),
        ("large", json!("five"), "/large"),
        ("large", json!("  5"), "/large"),
        ("large", json!(1e19), "/large"),
        ("half", json!(1e300), "/half: it has to be a number of at most 32 bits"),
        ("letter", json!("ab"), "/letter: it has to be one character"),
        ("letter", json!(""), "/letter: it has to be one character"),
        ("text", json!(1), "/text: it has to be a string"),
        ("raw", json!("a"), "/raw: it is not base64"),
        ("list", json!([1, 65_536]), "/list/1: it has to be an integer from 0 to 65535"),
        ("place", json!({"x_y": 1, "z": 1}), "/place: there is no \"z\""),
        ("place", json!({}), "/place/x_y: it is missing"),
        ("place", json!([]), "/place: it has to be an object"),
        ("pair", json!(["a"]), "/pair: it has to be an array of 2 items"),
        ("which", json!("at_most"), "/which/at_most: it is missing"),
        ("which", json!({"any_one": 1}), "/which/any_one: this case has no value"),
        ("which", json!("none"), "/which: \"none\" is none of any_one, at_most"),
        ("which", json!({"at_most": 1, "any_one": 1}), "/which: it has to be the name of a case"),
        ("side", json!("left"), "/side: \"left\" is none of far_left, right"),
        ("set", json!(["own"]), "/set: \"own\" is none of read_it, write_it"),
        ("outcome", json!("ok"), "/outcome/ok: it is missing"),
        ("outcome", json!("maybe"), "/outcome: \"maybe\" is none of ok, error"),
    ] {
        let refused = value::arguments(&parameters(), &with(name, value.clone())).unwrap_err();
        assert!(refused.starts_with(why), "{name} = {value}: {refused}");
    }
    let refused = value::arguments(&parameters(), &json!({"is_it": true})).unwrap_err();
    assert_eq!(refused, "/small: it is missing");
}

#[test]
fn values_that_take_no_place_in_the_text_are_counted_all_the_same() {
    let holes = (0..1_000).map(|n| field(&format!("f{n}"), Form::Option(Box::new(Form::Bool)))).collect();
    let parameters = [field("all", Form::List(Box::new(record(holes))))];
    let input = |count: usize| json!({ "all": vec![json!({}); count] });
    assert!(value::arguments(&parameters, &input(200)).is_ok());
    let refused = value::arguments(&parameters, &input(300)).unwrap_err();
    assert_eq!(refused, "there are more than 262144 values in it; send less");
    let bytes = [field("all", Form::Bytes)];
    let refused = value::arguments(&bytes, &json!({"all": "AAAA".repeat(100_000)})).unwrap_err();
    assert!(refused.contains("262144 values"), "{refused}");
}

#[test]
fn names_are_counted_each_time_that_they_come_into_memory() {
    let long = "n".repeat(256);
    let parameters = [field("l", Form::List(Box::new(record(vec![field(&long, Form::Option(Box::new(Form::Bool)))]))))];
    let input = |count: usize| json!({ "l": vec![json!({}); count] });
    assert!(value::arguments(&parameters, &input(32_000)).is_ok());
    let refused = value::arguments(&parameters, &input(33_000)).unwrap_err();
    assert_eq!(refused, "the names in it take more than 8388608 bytes; send less");
    let parameters = [field("l", Form::List(Box::new(Form::Enum(names(&[&long])))))];
    assert!(value::arguments(&parameters, &json!({"l": vec![&long; 33_000]})).is_err(), "of a case as well");
}

#[test]
fn what_has_no_json_or_too_much_of_it_is_not_written() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let why = value::json(&Form::F64, &Val::Float64(number), 100).unwrap_err();
        assert_eq!(why, Unwritten::Unfit("there is no JSON for a number that is infinite or none".into()));
        assert!(value::json(&Form::F32, &Val::Float32(number as f32), 100).is_err());
    }
    let long = Val::List(vec![Val::Bool(true); 50]);
    let form = Form::List(Box::new(Form::Bool));
    assert_eq!(value::json(&form, &long, 100), Err(Unwritten::TooLong));
    assert!(value::json(&form, &long, 1_000).is_ok());
    assert_eq!(value::json(&Form::Text, &Val::String("\u{1}".repeat(40)), 100), Err(Unwritten::TooLong), "escapes count");
}

#[test]
fn integers_beyond_what_every_reader_keeps_are_written_as_text() {
    let (signed, unsigned) = (Form::Integer(Integer::S64), Form::Integer(Integer::U64));
    for (form, value, text) in [
        (&unsigned, Val::U64(1 << 53), "9007199254740992"),
        (&unsigned, Val::U64((1 << 53) + 1), "\"9007199254740993\""),
        (&signed, Val::S64(-(1 << 53)), "-9007199254740992"),
        (&signed, Val::S64(i64::MIN), "\"-9223372036854775808\""),
        (&Form::F32, Val::Float32(0.1), "0.1"),
        (&Form::F64, Val::Float64(1e300), "1e+300"),
    ] {
        assert_eq!(value::json(form, &value, 100).as_deref(), Ok(text));
    }
}

#[test]
fn the_schema_says_what_the_types_say() {
    let docs = Docs::parse(b"\x01{\"interfaces\":{\"i\":{\"types\":{\"point\":{\"items\":{\"x-y\":\"Where.\"}}}}}}");
    let written = schema_of::object(&parameters(), &|_| None, &docs.types(Some("i")));
    let of = |name: &str| written["properties"][name].clone();
    assert_eq!(written["additionalProperties"], false);
    assert_eq!(written["required"].as_array().unwrap().len(), 15, "all but `maybe`");
    assert_eq!(of("small"), json!({"type": "integer", "minimum": -128, "maximum": 127}));
    let large = json!({"type": "integer", "minimum": 0, "maximum": u64::MAX});
    assert_eq!(of("large"), json!({"anyOf": [large, {"type": "string", "maxLength": 20}]}));
    assert_eq!(of("place")["properties"]["x_y"], json!({"type": "number", "description": "Where."}));
    assert_eq!(of("place")["required"], json!(["x_y"]));
    assert_eq!(of("raw"), json!({"type": "string", "contentEncoding": "base64"}));
    assert_eq!(of("which")["oneOf"][0], json!({"type": "string", "enum": ["any_one"]}));
    assert_eq!(of("which")["oneOf"][1]["required"], json!(["at_most"]));
    assert_eq!(of("set")["uniqueItems"], true);
}

#[test]
fn a_long_name_is_cut_and_told_from_others_by_its_whole_path() {
    let (one, other) = (hashed(&"a".repeat(60), "x#a"), hashed(&"a".repeat(60), "y#a"));
    assert!(one.len() == 48 && one != other && tool::ToolId::is_tool_name(&one), "{one}");
}

#[test]
fn what_is_left_out_is_listed_in_part_and_counted() {
    let list = |count: usize| {
        let mut skipped = Skipped::default();
        (0..count).rev().for_each(|n| skipped.add(&format!("f{n:03}"), "why"));
        skipped.list()
    };
    assert_eq!((list(0).len(), list(20).len()), (0, 20));
    let listed = list(900);
    assert_eq!((listed.len(), &*listed[0], &*listed[19], &*listed[20]), (21, "f000: why", "f019: why", "and 880 more"));
    let mut long = Skipped::default();
    (0..3).for_each(|n| long.add(&format!("{}{n}", "é".repeat(50_000)), "why"));
    assert_eq!(long.list(), [format!("{}…: why", "é".repeat(100)), "and 2 more".to_owned()]);
}
