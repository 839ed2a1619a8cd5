//! What templates say, and what they may not.

use std::collections::BTreeMap;
use std::sync::Arc;

use session::{Identity, ModelChoice, Secrets, Uid};
use tool::{ToolId, ToolSpec, Traits};

use super::*;
use crate::sessions::example;

fn spec(name: &str, description: &str) -> (String, Arc<ToolSpec>) {
    let spec = ToolSpec {
        id: ToolId { plugin: "p".into(), name: name.into() },
        description: description.into(),
        input: "{}".into(),
        output: None,
        traits: Traits::default(),
        title: None,
        component: "".into(),
        tools: "".into(),
        version: String::new(),
    };
    (name.to_owned(), Arc::new(spec))
}

fn agent() -> Agent {
    Agent {
        uid: Uid([1; 16]),
        tenant: Uid([2; 16]),
        key: "agt_ada".into(),
        revision: 1,
        name: "Ada".into(),
        description: None,
        model: ModelChoice { name: "m".into(), parameters: Map::new(), retry: None },
        tools: BTreeMap::new(),
        compaction: None,
        secrets: Secrets(BTreeMap::from([("token".into(), "hush-hush".into())])),
        identity: Identity::default(),
        first_step: "s".into(),
        steps: BTreeMap::new(),
        metadata: json!({"team": "$session.key", "list": [1, 2, [3]], "on": true, "off": false, "n": 5}).as_object().unwrap().clone(),
        enabled: true,
        created_at: Millis(0),
        updated_at: Millis(0),
    }
}

fn session() -> Session {
    Session {
        key: "ase_1".into(),
        name: "Talk".into(),
        description: Some("about".into()),
        metadata: json!({"customer": {"name": "Bo"}}).as_object().unwrap().clone(),
        ..example()
    }
}

fn rendered(template: &str) -> Result<String, Error> {
    rendered_in(template, session())
}

fn rendered_in(template: &str, session: Session) -> Result<String, Error> {
    let agent = agent();
    let tools = ToolList::new(vec![spec("calc", "Adds."), spec("web", "Reads.")]);
    let mut scope = Scope { agent: &agent, session: &session, now: Millis(0), tools: &tools, loops: Vec::new(), nodes: RENDERED_NODES };
    let mut out = String::new();
    let instruction = Instruction {
        name: "role".into(),
        description: None,
        template: template.into(),
        template_type: TemplateType::Velocity,
        metadata: Map::new(),
        enabled: true,
    };
    scope.instruction(&instruction, &mut out)?;
    Ok(out)
}

fn says(template: &str, want: &str) {
    check(template).unwrap();
    assert_eq!(rendered(template).unwrap(), want, "{template}");
}

#[test]
fn known_variables_are_replaced_and_everything_else_stays() {
    says("I am $agent.name. ${agent.name}! $!agent.name $!{agent.name}", "I am Ada. Ada! Ada Ada");
    says("$agent.key $session.key/$session.name: $session.description", "agt_ada ase_1/Talk: about");
    says(
        "It costs $5, #1 of $unknown.path ${oops $ # ## Heading $!nothing",
        "It costs $5, #1 of $unknown.path ${oops $ # ## Heading $!nothing",
    );
    says("$agent.description|$!agent.description|$session.metadata.no", "$agent.description||$session.metadata.no");
    says("$session.metadata.customer.name, $agent.metadata.list, $agent.metadata.list.1", "Bo, [1,2,[3]], 2");
    says("$currentDate", "1970-01-01T00:00:00.000Z");
}

#[test]
fn a_value_is_never_read_as_a_template_and_a_secret_is_no_value() {
    says("$agent.metadata.team", "$session.key");
    says("$agent.secrets.token $agent.secrets", "$agent.secrets.token $agent.secrets");
}

#[test]
fn tools_are_listed_alone_and_in_a_loop() {
    says("$tools", "- calc: Adds.\n- web: Reads.");
    says(
        "Tools:\n#foreach($tool in $tools)\n* $tool.name ($tool.description)\n#end\nDone.",
        "Tools:\n* calc (Adds.)\n* web (Reads.)\nDone.",
    );
    says("#foreach( $t in ${tools} )$foreach.count $t.name#if($foreach.hasNext), #end#{end}!", "1 calc, 2 web!");
    says("#foreach($x in $agent.metadata.list)[$x]#end", "[1][2][[3]]");
    says("#foreach($x in $agent.metadata.nothing)x#end", "");
}

#[test]
fn conditions_choose() {
    says("#if($agent.metadata.on)yes#{else}no#end", "yes");
    says("#if(!$agent.metadata.on)yes#else no#end", " no");
    says("#if($agent.metadata.off)a#elseif($session.metadata.customer.name == \"Bo\")b#else c#end", "b");
    says("#if($agent.metadata.n == 5)five#end#if($agent.metadata.n != '5')other#end", "five");
    says("#if($agent.nope)a#end#if($agent.name == $agent.name)same#end", "same");
}

#[test]
fn what_cannot_be_rendered_is_refused_with_the_reason() {
    for (template, why) in [
        ("#set($x = 1)", "#set"),
        ("#macro(a)x#end", "#macro"),
        ("#if($x)", "no `#end`"),
        ("#foreach($x in $tools)", "no `#end`"),
        ("a #end", "closes nothing"),
        ("a #else b", "outside of an `#if`"),
        ("#foreach($x in $tools)#else#end", "outside of an `#if`"),
        ("#foreach($x of $tools)#end", "is not of the form"),
        ("#foreach($x.y in $tools)#end", "is not of the form"),
        ("#if($a && $b)x#end", "the condition"),
        ("#if($a.size() > 1)x#end", "the condition"),
        ("#if($a", "never closed"),
    ] {
        let fault = check(template).unwrap_err();
        assert!(fault.contains(why), "{template}: {fault}");
    }
    assert!(check(&"#if($a)".repeat(20)).unwrap_err().contains("deep"));
    assert!(check("#endif #elsewhere #iffy #setter #foreachx #include <stdio.h>").is_ok());
}

#[test]
fn loops_in_loops_end_at_a_bound() {
    let inner = "#foreach($a in $agent.metadata.list)".repeat(8) + "x" + &"#end".repeat(8);
    assert!(rendered(&inner).is_ok());
    let long = format!("#foreach($a in $tools)#foreach($b in $tools){}#end#end", "x".repeat(400_000));
    let error = rendered(&long).unwrap_err().to_string();
    assert!(error.contains("`role`") && error.contains("grows beyond"), "{error}");
}

#[test]
fn loops_that_write_nothing_and_comparisons_of_large_values_are_bounded() {
    for template in [
        "#foreach($a in $session.metadata.l)#foreach($b in $session.metadata.l)#end#end",
        "#foreach($a in $session.metadata.l)#if($session.metadata.l == \"x\")#end#end",
    ] {
        let mut session = session();
        session.metadata.insert("l".into(), (0..2_000).collect::<Vec<u32>>().into());
        assert!(rendered_in(template, session).is_err(), "{template}");
    }
}
