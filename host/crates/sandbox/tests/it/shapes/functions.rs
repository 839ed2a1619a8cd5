//! Exported functions as tools.

use serde_json::{Value, json};
use tool::{Content, End, Toolbox};

use super::{failed, refused, wat};
use crate::place::{Place, caller};

/// The adder of the component model's own introduction, by hand: it knows nothing of us.
pub(super) const ADDER: &str = r#"(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func $add (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
  (instance $exported (export "add" (func $add)))
  (export "docs:adder/add@0.1.0" (instance $exported)))"#;

/// A component around one core module, with an allocator that grows its memory.
fn component(module: &str, exports: &str) -> Vec<u8> {
    wat(&format!(
        r#"(component
  (core module $m
    (memory (export "memory") 4)
    (global $free (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (block $enough (loop $more
        (br_if $enough (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
        (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable)))
        (br $more)))
      (local.get $at))
    {module})
  (core instance $i (instantiate $m))
  {exports})"#
    ))
}

const LINE: &str = "[plugin.it]\nshape = 'functions'\napprove = 'never'\n";

async fn place(module: &str, exports: &str) -> Place {
    Place::with(&[("it", component(module, exports))], LINE).await
}

/// What a call gives, as the one part that it is.
async fn part(place: &Place, tool: &str, input: Value) -> Content {
    let mut reply = place.call("it", tool, &input.to_string()).await;
    assert_eq!((&reply.end, reply.parts.len()), (&End::Done, 1), "{tool}: {:?}", reply.parts);
    reply.parts.remove(0)
}

fn data(part: Content) -> Value {
    match part {
        Content::Data(text) => serde_json::from_str(&text).unwrap(),
        part => panic!("{part:?}"),
    }
}

const MEMORY: &str = "(memory $i \"memory\") (realloc (func $i \"realloc\"))";

/// Functions that give back what they are given.
fn echoes() -> (String, String) {
    let module = r#"
      (func (export "same") (param i32 i32) (result i32)
        (i32.store (i32.const 64) (local.get 0)) (i32.store (i32.const 68) (local.get 1)) (i32.const 64))
      (func (export "wide") (param i64) (result i64) (local.get 0))
      (func (export "real") (param f64) (result f64) (local.get 0))
      (func (export "divide") (param i32 i32) (result i32)
        (i32.store8 (i32.const 64) (i32.eqz (local.get 1)))
        (if (local.get 1) (then (i32.store (i32.const 68) (i32.div_u (local.get 0) (local.get 1))))
          (else (i32.store (i32.const 68) (i32.const 96)) (i32.store (i32.const 72) (i32.const 7))))
        (i32.const 64))
      (func (export "move") (param f64 f64 i32 i32 i32) (result i32)
        (f64.store (i32.const 64) (f64.neg (local.get 0))) (f64.store (i32.const 72) (local.get 1))
        (i32.store8 (i32.const 80) (local.get 2)) (i32.store (i32.const 84) (local.get 3)) (i32.store (i32.const 88) (local.get 4))
        (i32.const 64))
      (func (export "nothing"))
      (data (i32.const 96) "by zero")"#;
    let exports = format!(
        r#"
      (func (export "shout") (param "text" string) (result string) (canon lift (core func $i "same") {MEMORY}))
      (func (export "copy-bytes") (param "raw" (list u8)) (result (list u8)) (canon lift (core func $i "same") {MEMORY}))
      (func (export "copy-list") (param "all" (list u16)) (result (list u16)) (canon lift (core func $i "same") {MEMORY}))
      (func (export "wide") (param "n" u64) (result u64) (canon lift (core func $i "wide")))
      (func (export "real") (param "n" f64) (result f64) (canon lift (core func $i "real")))
      (func (export "divide") (param "by-what" u32) (param "n" u32) (result (result u32 (error string)))
        (canon lift (core func $i "divide") {MEMORY}))
      (type $point' (record (field "x-axis" f64) (field "y-axis" f64) (field "name" (option string))))
      (export $point "point" (type $point'))
      (func (export "mirror") (param "at" $point) (result $point) (canon lift (core func $i "move") {MEMORY}))
      (func (export "nothing") (canon lift (core func $i "nothing")))"#
    );
    (module.to_owned(), exports)
}

#[tokio::test]
async fn arguments_and_results_are_json() {
    let (module, exports) = echoes();
    let place = place(&module, &exports).await;
    assert_eq!(place.status("it").tools, ["copy_bytes", "copy_list", "divide", "mirror", "nothing", "real", "shout", "wide"]);
    assert_eq!(part(&place, "shout", json!({"text": "hé\n"})).await, Content::Text("hé\n".into()));
    let blob = Content::Blob { media_type: "application/octet-stream".into(), name: None, bytes: vec![0, 1, 255] };
    assert_eq!(part(&place, "copy_bytes", json!({"raw": "AAH/"})).await, blob);
    assert_eq!(data(part(&place, "copy_list", json!({"all": [1, 65_535]})).await), json!([1, 65_535]));
    assert_eq!(data(part(&place, "wide", json!({"n": 7})).await), json!(7));
    assert_eq!(data(part(&place, "wide", json!({"n": "18446744073709551615"})).await), json!("18446744073709551615"));
    assert_eq!(data(part(&place, "real", json!({"n": 0.25})).await), json!(0.25));
    let mirrored = part(&place, "mirror", json!({"at": {"x_axis": 1.5, "y_axis": 2}})).await;
    assert_eq!(data(mirrored), json!({"x_axis": -1.5, "y_axis": 2.0}));
    let named = part(&place, "mirror", json!({"at": {"x_axis": 1, "y_axis": 2, "name": "home"}})).await;
    assert_eq!(data(named)["name"], "home");
    let reply = place.call("it", "nothing", "{}").await;
    assert_eq!((reply.end, reply.parts), (End::Done, Vec::new()));
    assert!(reply.evidence.component.is_some() && reply.usage.wall_us > 0);
}

#[tokio::test]
async fn an_error_that_a_function_returns_is_a_failure_in_its_words() {
    let (module, exports) = echoes();
    let place = place(&module, &exports).await;
    assert_eq!(data(part(&place, "divide", json!({"by_what": 7, "n": 2})).await), json!(3));
    let reply = place.call("it", "divide", r#"{"by_what": 7, "n": 0}"#).await;
    assert_eq!(failed(&reply), ("failed", "by zero"));
}

#[tokio::test]
async fn what_does_not_fit_the_types_is_refused_before_any_of_it_runs() {
    let (module, exports) = echoes();
    let place = place(&module, &exports).await;
    for (tool, input, why) in [
        ("divide", r#"{"by_what": 7}"#, "\"n\" is a required property"),
        ("divide", r#"{"by_what": 7, "n": 4294967296}"#, "4294967295"),
        ("divide", r#"{"by_what": 7, "n": 1, "m": 1}"#, "'m'"),
        ("copy_list", r#"{"all": [1, "2"]}"#, "/all/1"),
        ("mirror", r#"{"at": {"x_axis": 1}}"#, "\"y_axis\" is a required property"),
    ] {
        let reply = place.call("it", tool, input).await;
        let End::InvalidInput(said) = &reply.end else { panic!("{tool}: {:?}", reply.end) };
        assert!(said.contains(why), "{tool}: {said}");
        assert_eq!(reply.usage.wall_us, 0, "{tool}");
    }
    // What JSON Schema does not see is seen when the values are made.
    for (tool, input, why) in [
        ("copy_bytes", r#"{"raw": "a"}"#, "/raw: it is not base64"),
        ("wide", r#"{"n": "18446744073709551616"}"#, "/n: it has to be an integer from 0 to 18446744073709551615"),
    ] {
        let reply = place.call("it", tool, input).await;
        let (reason, said) = failed(&reply);
        assert!(reason == "invalid_input" && said.starts_with(why), "{tool}: {reason}: {said}");
    }
}

/// An interface with a record that it names, and a function beside it, as `wit-component` writes them.
fn market() -> Vec<u8> {
    let docs = r#"{"interfaces":{"market":{"docs":"","funcs":{"buy":"Buys one item."},"types":{"item":{"items":{"full-name":"As on the label."}}}}},"worlds":{"w":{"func_exports":{"close":{"docs":"Closes."}}}}}"#;
    let section = format!("\\01{}", docs.replace('"', "\\\""));
    component(
        r#"(func (export "buy") (param i32 i32 i32)) (func (export "close"))"#,
        &format!(
            r#"
      (type $item' (record (field "full-name" string) (field "count" u8)))
      (func $buy (param "it" $item') (canon lift (core func $i "buy") {MEMORY}))
      (component $shape
        (type $item' (record (field "full-name" string) (field "count" u8)))
        (import "item" (type $item (eq $item')))
        (import "buy" (func $buy (param "it" $item)))
        (export $named "item" (type $item))
        (export "buy" (func $buy) (func (param "it" $named))))
      (instance $market (instantiate $shape (with "item" (type $item')) (with "buy" (func $buy))))
      (export "acme:shop/market@1.2.0" (instance $market))
      (func (export "close") (canon lift (core func $i "close")))
      (@custom "package-docs" "{section}")"#
        ),
    )
}

#[tokio::test]
async fn the_schema_is_that_of_the_types_and_the_words_are_the_authors() {
    let place = Place::with(&[("it", market())], LINE).await;
    let tools = place.sandbox.tools(&caller());
    let [buy, close] = &tools[..] else { panic!("{:?}", place.status("it")) };
    assert_eq!((&*buy.description, &*close.description), ("Buys one item.", "Closes."));
    let item = json!({"type": "object", "properties": {
        "full_name": {"type": "string", "description": "As on the label."}, "count": {"type": "integer", "minimum": 0, "maximum": 255},
    }, "required": ["full_name", "count"], "additionalProperties": false});
    let wanted = json!({"type": "object", "properties": {"it": item}, "required": ["it"], "additionalProperties": false});
    assert_eq!(serde_json::from_str::<Value>(&buy.input).unwrap(), wanted);
    let reply = place.call("it", "buy", r#"{"it": {"full_name": "tea", "count": 3}}"#).await;
    assert_eq!(reply.end, End::Done);
}

#[tokio::test]
async fn functions_of_one_name_get_that_of_their_interface_too() {
    let bytes = component(
        r#"(func (export "f"))"#,
        r#"(func $f (canon lift (core func $i "f")))
      (instance $a (export "run-it" (func $f)) (export "only" (func $f))
        (export "a-name-that-is-longer-than-any-tool-may-have-here-or-there" (func $f)))
      (instance $b (export "run-it" (func $f)))
      (export "acme:one/first-half@1.0.0" (instance $a))
      (export "acme:two/second-half" (instance $b))
      (export "run-now" (func $f))"#,
    );
    let place = Place::with(&[("it", bytes)], LINE).await;
    let tools = place.status("it").tools;
    assert_eq!(&tools[1..], ["first_half_run_it", "only", "run_now", "second_half_run_it"]);
    assert!(tools[0].starts_with("a_name_that_is_longer") && tools[0].len() == 48, "{}", tools[0]);
    for tool in &tools {
        assert_eq!(place.call("it", tool, "{}").await.end, End::Done, "{tool}");
    }
}

#[tokio::test]
async fn what_is_no_data_is_left_out_with_the_reason() {
    let module = r#"(func (export "f")) (func (export "g") (param i32)) (func (export "h") (param i32 i32 i32))"#;
    let bytes = component(
        module,
        r#"(func $f (canon lift (core func $i "f")))
      (type $thing' (resource (rep i32)))
      (export $thing "thing" (type $thing'))
      (func (export "use-thing") (param "it" (own $thing)) (canon lift (core func $i "g")))
      (func (export "twice") (param "it" (option (option bool))) (canon lift (core func $i "h")))
      (func (export "[static]thing.make") (canon lift (core func $i "f")))
      (instance $run (export "run" (func $f)))
      (export "wasi:cli/environment-of-my-own@0.2.0" (instance $run))
      (export "plain" (func $f))"#,
    );
    let place = Place::with(&[("it", bytes)], LINE).await;
    let status = place.status("it");
    assert_eq!(status.tools, ["plain"]);
    assert_eq!(
        status.skipped,
        [
            "[static]thing.make: it belongs to a resource",
            "twice: an option of an option cannot be told apart in JSON",
            "use-thing: it takes or gives a resource",
            "wasi:cli/environment-of-my-own@0.2.0: it is an interface of WASI",
        ]
    );
    assert_eq!(place.call("it", "use_thing", "{}").await.end, End::UnknownTool);
}

#[tokio::test]
async fn types_that_multiply_are_left_out_and_where_nothing_is_left_the_component_is_refused() {
    let mut types = String::from("(type $t0 (tuple bool bool))");
    for level in 1..15 {
        types += &format!("(type $t{level} (tuple $t{0} $t{0}))", level - 1);
    }
    let bytes = component(
        r#"(func (export "f") (param i32))"#,
        &format!(r#"{types} (func (export "deep") (param "it" $t14) (canon lift (core func $i "f") {MEMORY}))"#),
    );
    let place = Place::with(&[("it", bytes)], LINE).await;
    assert_eq!(refused(&place, "it"), "nothing that the component exports can be a tool: deep: its types have more than 512 parts");
}

#[tokio::test]
async fn more_functions_than_tools_are_refused_and_what_is_left_out_does_not_count() {
    let exported = |functions: usize, resources: usize| {
        let function = |n: usize| format!(r#"(func (export "f{n}") (canon lift (core func $i "f")))"#);
        let resource = |n: usize| format!(r#"(func (export "[static]thing.f{n}") (canon lift (core func $i "f")))"#);
        let all: String = (0..functions).map(function).chain((0..resources).map(resource)).collect();
        component(r#"(func (export "f"))"#, &format!(r#"(type $thing' (resource (rep i32))) (export $thing "thing" (type $thing')) {all}"#))
    };
    let place = Place::with(&[("it", exported(65, 0))], LINE).await;
    let why = "the component exports 65 functions that could be tools; at most 64 are allowed in one plugin: \
               export fewer, or make several components of it";
    assert_eq!(refused(&place, "it"), why);
    let status = Place::with(&[("it", exported(64, 900))], LINE).await.status("it");
    assert_eq!((status.tools.len(), status.skipped.len(), status.skipped.last().unwrap().as_str()), (64, 21, "and 880 more"));
    let place = Place::with(&[("it", exported(0, 900))], LINE).await;
    let why = refused(&place, "it");
    assert!(why.ends_with("; and 880 more") && why.len() < 2_000, "{} bytes: {why}", why.len());
}

#[tokio::test]
async fn names_that_are_too_long_are_left_out() {
    let long = "n".repeat(257);
    let bytes = component(
        r#"(func (export "f")) (func (export "g") (param i32 i32)) (func (export "h") (param i32))"#,
        &format!(
            r#"
      (type $r' (record (field "{long}" (option bool))))
      (export $r "r" (type $r'))
      (type $e' (enum "{long}"))
      (export $e "e" (type $e'))
      (func (export "field") (param "it" $r) (canon lift (core func $i "g")))
      (func (export "case") (param "it" $e) (canon lift (core func $i "h")))
      (func (export "parameter") (param "{long}" u8) (canon lift (core func $i "h")))
      (func (export "{long}") (canon lift (core func $i "f")))
      (func (export "plain") (canon lift (core func $i "f")))"#
        ),
    );
    let status = Place::with(&[("it", bytes)], LINE).await.status("it");
    assert_eq!(status.tools, ["plain"]);
    let why = "a name in its types has 257 bytes; at most 256 are allowed";
    assert_eq!(status.skipped[..2], [format!("case: {why}"), format!("field: {why}")]);
    assert!(status.skipped[2].ends_with("…: its name has 257 bytes; at most 256 are allowed"), "{}", status.skipped[2]);
    assert_eq!(status.skipped[3..], [format!("parameter: {why}")]);
}

const LIMITS: &str = "[plugin.it]\nshape = 'functions'\napprove = 'never'\n\
                      limits = { cpu = '200ms', time = '5min', memory = '4MiB', output = '64KiB' }\n";

#[tokio::test]
async fn a_hostile_function_ends_at_its_limit() {
    let module = r#"
      (func (export "spin") (loop $l (br $l)))
      (func (export "crash") (unreachable))
      (func (export "grow") (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable))
      (func (export "many") (result i32)
        (i32.store (i32.const 64) (i32.const 1024)) (i32.store (i32.const 68) (i32.const 250000)) (i32.const 64))
      (func (export "outside") (result i32)
        (i32.store (i32.const 64) (i32.const 0)) (i32.store (i32.const 68) (i32.const 2000000000)) (i32.const 64))
      (func (export "wrong") (result i32)
        (i32.store8 (i32.const 128) (i32.const 255)) (i32.store (i32.const 64) (i32.const 128)) (i32.store (i32.const 68) (i32.const 1))
        (i32.const 64))
      (func (export "none") (result f64) (f64.div (f64.const 0) (f64.const 0)))
      (func (export "case") (result i32) (i32.const 9))
      (func (export "later") (param i32) (loop $l (br $l)))
      (func (export "zero") (result i32) (i32.const 0))"#;
    let exports = format!(
        r#"
      (func (export "spin") (canon lift (core func $i "spin")))
      (func (export "crash") (canon lift (core func $i "crash")))
      (func (export "grow") (canon lift (core func $i "grow")))
      (func (export "many-values") (result (list bool)) (canon lift (core func $i "many") {MEMORY}))
      (func (export "many-bytes") (result (list u8)) (canon lift (core func $i "many") {MEMORY}))
      (func (export "much-text") (result string) (canon lift (core func $i "many") {MEMORY}))
      (func (export "outside") (result (list u8)) (canon lift (core func $i "outside") {MEMORY}))
      (func (export "no-text") (result string) (canon lift (core func $i "wrong") {MEMORY}))
      (func (export "no-number") (result f64) (canon lift (core func $i "none")))
      (type $side' (enum "left" "right"))
      (export $side "side" (type $side'))
      (func (export "no-case") (result $side) (canon lift (core func $i "case")))
      (func (export "after") (result s32) (canon lift (core func $i "zero") (post-return (func $i "later"))))"#
    );
    let place = Place::with(&[("it", component(module, &exports))], LIMITS).await;
    for (tool, word) in [
        ("spin", "limit_cpu"),
        ("crash", "trap"),
        ("grow", "limit_memory"),
        ("many_values", "limit_output"),
        ("many_bytes", "limit_output"),
        ("much_text", "limit_output"),
        ("outside", "invalid_output"),
        ("no_text", "invalid_output"),
        ("no_number", "invalid_output"),
        ("no_case", "invalid_output"),
        ("after", "limit_cpu"),
    ] {
        for _ in 0..2 {
            let reply = place.call("it", tool, "{}").await;
            assert_eq!((reply.end.word(), reply.parts.len()), (word, 0), "{tool}: {:?}", reply.end);
        }
    }
}

#[tokio::test]
async fn nothing_of_a_call_is_left_for_the_next_and_fuel_counts() {
    let module = r#"(global $n (mut i32) (i32.const 0))
      (func (export "count") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
      (func (export "spin") (loop $l (br $l)))"#;
    let exports = r#"(func (export "count") (result u32) (canon lift (core func $i "count")))
      (func (export "spin") (canon lift (core func $i "spin")))"#;
    let place = place(module, exports).await;
    for _ in 0..3 {
        assert_eq!(data(part(&place, "count", json!({})).await), json!(1));
    }
    place.allow(&format!("{LINE}limits = {{ fuel = 100000, time = '5min' }}\n"));
    assert_eq!(place.call("it", "spin", "{}").await.end, End::Fuel(100_000));
    let reply = place.call("it", "count", "{}").await;
    assert!(reply.end == End::Done && reply.usage.fuel > 0, "{reply:?}");
}
