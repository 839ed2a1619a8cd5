//! What is found in descriptors that somebody might well write.

use super::*;

const GOOD: &str = r#"{"type":"object","properties":{"name":{"type":"string","description":"Whom to greet, such as Ada"}},
    "required":["name"],"additionalProperties":false}"#;

fn tool() -> Described {
    Described {
        name: "greet".into(),
        description: "Greets a person by name. Use it when somebody wants to be greeted.".into(),
        input: GOOD.into(),
        output: None,
        traits: Traits { read_only: true, ..Traits::default() },
        annotations: Some(r#"{"examples":[{"input":{"name":"Ada"}}]}"#.into()),
    }
}

fn found(tool: Described) -> Vec<Finding> {
    let tools = vec![tool];
    read(&Descriptor { plugin: "hello".into(), again: Ok(tools.clone()), tools })
}

fn one(tool: Described) -> (Level, String) {
    let found = found(tool);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].level == Level::Note || !found[0].fix.is_empty(), "{found:?}");
    (found[0].level, found[0].to_string())
}

#[test]
fn a_good_tool_has_no_findings() {
    assert_eq!(found(tool()), Vec::new());
}

#[test]
fn what_model_providers_refuse_is_an_error_with_a_way_out() {
    for (input, why) in [
        (GOOD.replacen(r#"{"type""#, r#"{"anyOf":[{}],"type""#, 1), "its root has anyOf"),
        (GOOD.replace("\"name\"", "\"the name\""), "the name has a name that model providers refuse"),
        (GOOD.replace("\"string\"", "\"array\""), "name is an array without `items`"),
    ] {
        let (level, text) = one(Described { input, ..tool() });
        assert!(level == Level::Error && text.contains(why), "{text}");
    }
}

#[test]
fn what_works_badly_is_a_warning() {
    let deep = (0..6).fold(r#"{"type":"string","description":"d"}"#.to_owned(), |inner, _| {
        format!(r#"{{"type":"object","description":"d","properties":{{"a":{inner}}},"additionalProperties":false}}"#)
    });
    for (input, why) in [
        (GOOD.replace(",\"additionalProperties\":false", ""), "the root takes unknown properties"),
        (GOOD.replace("Whom to greet, such as Ada", ""), "name has no description"),
        (GOOD.replace("\"type\":\"string\",", ""), "name has no type"),
        (deep, "levels deep"),
        (GOOD.replace("Whom", &"Whom ".repeat(2_000)), "part of every prompt"),
    ] {
        let (level, text) = one(Described { input, ..tool() });
        assert!(level == Level::Warning && text.contains(why), "{text}");
    }
    for (description, why) in [("Greets.", "very short"), (&"word ".repeat(300) as &str, "has 1500 characters")] {
        let (level, text) = one(Described { description: description.into(), ..tool() });
        assert!(level == Level::Warning && text.contains(why), "{text}");
    }
    let tools = vec![Described { name: "g".repeat(48), ..tool() }];
    let found = read(&Descriptor { plugin: "p".repeat(32), again: Ok(tools.clone()), tools });
    assert!(found.len() == 1 && found[0].what.contains("its name has 82 bytes"), "{found:?}");
}

#[test]
fn what_describe_says_must_not_depend_on_the_world() {
    let other = Described { description: "Greets a person by name, at 12:03 today and never again.".into(), ..tool() };
    let descriptor = Descriptor { plugin: "hello".into(), tools: vec![tool()], again: Ok(vec![other]) };
    let found = read(&descriptor);
    assert!(found[0].level == Level::Error && found[0].what.contains("tool greet"), "{found:?}");
    let found = read(&Descriptor { again: Err("describe failed: trap".into()), ..descriptor });
    assert!(found[0].what.contains("trap"));
}
