//! The tool from arguments to answers.

use wardian_plugin::{Content, Error, Reason, testing};

use crate::{describe, invoke};

fn text(query: &str, json: &str) -> Result<String, Error> {
    let query = testing::Value::from(query);
    let parts = invoke("json_query", &format!(r#"{{"query": {query}, "json": {json}}}"#))?;
    match parts.as_slice() {
        [Content::Data(text)] => Ok(text.clone()),
        other => panic!("{other:?}"),
    }
}

fn results(query: &str, json: &str) -> String {
    let answer = text(query, json).unwrap_or_else(|error| panic!("{query}: {error}"));
    let answer: testing::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["count"], answer["results"].as_array().unwrap().len());
    answer["results"].to_string()
}

fn fault(query: &str, json: &str) -> String {
    let error = text(query, json).expect_err(query);
    assert_eq!(error.reason, Reason::InvalidInput);
    error.message
}

#[test]
fn the_tool_keeps_the_contract_and_its_examples() {
    testing::check(&describe(), invoke);
}

#[test]
fn filters_of_everyday_use_work() {
    let shop = r#"[{"city":"Rome","n":1,"tags":["a","b"]},{"city":"Oslo","n":2,"tags":[]},{"city":"Rome","n":4,"tags":["b"]}]"#;
    for (query, expected) in [
        (".[0].city", r#"["Rome"]"#),
        ("length", "[3]"),
        ("map(.n) | add", "[7]"),
        ("group_by(.city) | map({city: .[0].city, count: length})", r#"[[{"city":"Oslo","count":1},{"city":"Rome","count":2}]]"#),
        ("[.[] | .tags[]] | unique", r#"[["a","b"]]"#),
        ("max_by(.n).n, min_by(.n).n", "[4,1]"),
        ("sort_by(-.n) | map(.n)", "[[4,2,1]]"),
        ("first(.[] | select(.city | test(\"^o\"; \"i\"))).n", "[2]"),
        (".[1] | to_entries | map(.key)", r#"[["city","n","tags"]]"#),
        ("map(has(\"n\")) | all", "[true]"),
        ("[paths(type == \"number\")] | length", "[3]"),
        ("[limit(2; .[].n)]", "[[1,2]]"),
        (".[] | .n as $n | if $n > 1 then \"\\($n)!\" else empty end", r#"["2!","4!"]"#),
        ("del(.[1]) | .[1].tags |= map(ascii_upcase) | .[1].tags", r#"[["B"]]"#),
        ("map(.n | pow(.; 2)) | @csv", r#"["1,4,16"]"#),
        ("reduce .[] as $x (0; . + $x.n)", "[7]"),
        ("[.[].city | gsub(\"o\"; \"0\")]", r#"[["R0me","Osl0","R0me"]]"#),
        ("\"2026-01-01T00:00:00Z\" | fromdate | todate", r#"["2026-01-01T00:00:00Z"]"#),
        ("\"hi\" | @base64, @uri, @json", r#"["aGk=","hi","\"hi\""]"#),
    ] {
        assert_eq!(results(query, shop), expected, "{query}");
    }
}

#[test]
fn text_is_matched_split_and_replaced() {
    for (query, expected) in [
        (r#"[match("(?<l>[a-z])(\\d)?"; "g") | .offset, .length, .string]"#, r#"[[1,2,"b1",4,1,"c"]]"#),
        (r#"match("(?<l>[a-z])(\\d)?").captures[0] | .name, .offset, .string"#, r#"["l",1,"b"]"#),
        (r#"capture("(?<letter>[a-z])(?<digit>\\d)")"#, r#"[{"digit":"1","letter":"b"}]"#),
        (r#"[scan("[a-z]\\d?")]"#, r#"[["b1","c"]]"#),
        (r#"sub("b"; "X"), gsub("(?<x>[a-z])"; "<\(.x)>")"#, r#"["äX1 c","ä<b>1 <c>"]"#),
        (r#"split(" "), [splits("\\d ")]"#, r#"[["äb1","c"],["äb","c"]]"#),
        (r#"test("B"), test("B"; "i"), test("^c"; "m")"#, "[false,true,false]"),
    ] {
        assert_eq!(results(query, r#""äb1 c""#), expected, "{query}");
    }
}

#[test]
fn values_are_formatted() {
    for (query, expected) in [
        ("[1, \"a\\\"b\", null, true] | @csv", r#"["1,\"a\"\"b\",,true"]"#),
        ("[1, \"a\\tb\"] | @tsv", r#"["1\ta\\tb"]"#),
        ("\"<a href='x'>&\" | @html", r#"["&lt;a href=&#39;x&#39;&gt;&amp;"]"#),
        ("\"ä b/c\" | @uri", r#"["%C3%A4%20b%2Fc"]"#),
        ("\"%C3%A4%2\" | @urid", r#"["ä%2"]"#),
        ("\"aGk=\" | @base64d", r#"["hi"]"#),
        ("\"it's\" | @sh", r#"["'it'\\''s'"]"#),
        ("1e3, 16 | sqrt | floor", "[31,4]"),
        ("pow(2; 10), (100 | log10), ([1, 2] | max)", "[1024,2,2]"),
        ("\"2050-01-01T00:00:00Z\" | fromdate | ., todate", r#"[2524608000,"2050-01-01T00:00:00Z"]"#),
        ("now > 1700000000", "[true]"),
        ("{a: [1, {b: 2}]} | [leaf_paths]", r#"[[["a",0],["a",1,"b"]]]"#),
        ("\"1 2\" | [splits(\" \") | tonumber] | add", "[3]"),
    ] {
        assert_eq!(results(query, "null"), expected, "{query}");
    }
}

#[test]
fn numbers_and_text_come_out_as_they_went_in() {
    let exact = text(".", "[12345678901234567890123, 0.10, 1e2, \"ä\\u20ac\\n\"]").unwrap();

    assert_eq!(exact, r#"{"results":[[12345678901234567890123,0.10,1e2,"ä€\n"]],"count":1,"truncated":false}"#);
    assert_eq!(results("1/2, 10/2, nan, infinite, 1e300*10", "null"), "[0.5,5,null,null,1e+301]");
}

#[test]
fn lines_of_text_are_queried_one_by_one() {
    let parts = invoke("json_query", r#"{"query": ".n", "text": "{\"n\":1}\n{\"n\":2}\n"}"#).unwrap();

    assert_eq!(testing::data(parts)["results"].to_string(), "[1,2]");
}

#[test]
fn exactly_one_input_is_needed() {
    for input in [r#"{"query": "."}"#, r#"{"query": ".", "json": 1, "text": "1"}"#] {
        let error = invoke("json_query", input).unwrap_err();
        assert!(error.message.contains("either as json or as text"), "{error}");
    }
    assert_eq!(results(".", "null"), "[null]");
}

#[test]
fn a_mistake_in_the_query_is_located() {
    for (query, expected) in [
        ("foo", "there is no filter foo"),
        (".a | $x", "there is no variable $x"),
        ("map(.a", "expected"),
        (".a ]", "position"),
        ("import \"a\" as a; .", "no modules"),
        ("env", "there is no filter env"),
        ("halt", "there is no filter halt"),
        ("input", "there is no filter input"),
        ("\"a\" | test(\"(\")", "is no regular expression"),
        ("\"a\" | test(\"a\"; \"q\")", "there is no regex flag q"),
        ("\"a\" | .b", "the query fails on this input"),
        ("error(\"mine\")", "mine"),
        ("@base32d", "there is no"),
    ] {
        let message = fault(query, "{}");
        assert!(message.contains(expected), "{query}: {message}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    for odd in ["{", "[1,]", "nul", "\u{1}", "[1 2]"] {
        let input = format!(r#"{{"query": ".", "text": {}}}"#, testing::Value::from(odd));
        let error = invoke("json_query", &input).expect_err(odd);
        assert!(error.message.starts_with("the text is no JSON"), "{odd}: {error}");
    }
    assert!(fault("\"a\" | tobytes", "null").contains("@base64"));
    assert!(fault("{(1): 2}", "null").contains("key"));
}

#[test]
fn results_are_bounded_in_number_and_size() {
    let endless: testing::Value = serde_json::from_str(&text("repeat(1)", "null").unwrap()).unwrap();
    let wide: testing::Value = serde_json::from_str(&text("range(500) | \"x\" * 1000", "null").unwrap()).unwrap();

    assert_eq!((&endless["count"], &endless["truncated"]), (&1000.into(), &true.into()));
    assert_eq!((&wide["count"], &wide["truncated"]), (&130.into(), &true.into()));
    assert!(fault("[range(100000)]", "null").contains("select less"));
}

#[test]
fn depth_is_bounded_on_the_way_in_and_out() {
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let shallow = format!("{}{}", "[".repeat(100), "]".repeat(100));

    assert!(fault(".", &deep).contains("200 levels"));
    assert!(fault("reduce range(500) as $i (0; [.])", "null").contains("nested too deeply"));
    assert_eq!(results("[..] | length", &shallow), "[100]");
    assert_eq!(results(".", r#""[[[\"[[""#), r#"["[[[\"[["]"#);
}
