//! What the grammar takes, what it refuses and where, and what a condition is true of.

use proptest::prelude::*;
use serde_json::json;

use super::expr::{Level, Literal, Operator, Pattern};
use super::number::Number;
use super::*;
use crate::limits::{METADATA_FILTER_DEPTH, METADATA_FILTER_NODES};

fn filter(text: &str) -> MetadataFilter {
    let condition = parse::condition(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    MetadataFilter { condition, work_left: Cell::new(METADATA_FILTER_WORK) }
}

fn refused(text: &str) -> String {
    parse::condition(text).expect_err(text).to_string()
}

fn customer() -> Value {
    json!({
        "plan": "gold", "seats": 12, "rate": 2.5, "active": true, "left": null, "tags": ["red", "blue", 7],
        "owner": {"name": "Anne O'Neill", "e-mail": "a@example.com"}, "id": 9_007_199_254_740_993_i64, "since": "2026-05-28",
        "metadata": "inner", "session": {"x": 1}, "naïve": "ÄÖ", "path": "50%_a\\b", "in": 1
    })
}

fn is_true(text: &str) -> bool {
    filter(text).matches(customer().as_object().unwrap())
}

#[test]
fn conditions_that_are_true_of_a_customer() {
    for text in [
        "plan = 'gold'",
        "metadata.plan == 'gold' AND session.metadata.seats >= 12",
        "\"plan\" <> 'silver' and not active = false",
        "12 <= seats AND 12.0 = seats AND seats < 1.3e1",
        "plan IN ('silver', 'gold')",
        "plan NOT IN ('silver', 'bronze')",
        "'red' IN tags AND 7 in metadata.tags AND NOT 'green' IN tags",
        "owner.name LIKE 'Anne O''%' AND owner.\"e-mail\" LIKE '_@example.com' AND owner.name NOT LIKE '%x%'",
        "path LIKE '50\\%\\_a\\\\b' AND path LIKE '50_\\_%'",
        "\"naïve\" LIKE '_Ö' AND naïve = 'ÄÖ'",
        "seats BETWEEN 12 AND 20 AND since BETWEEN '2026-01-01' AND '2026-12-31' AND seats NOT BETWEEN 13 AND 20",
        "left IS NULL AND nobody IS NULL AND owner.nobody.there IS NULL AND plan IS NOT NULL AND metadata IS NOT NULL",
        "metadata.metadata = 'inner' AND \"metadata\" = 'inner' AND session.x = 1 AND metadata.in = 1",
        "active",
        "active OR nobody > 3",
        "(plan = 'silver' OR plan = 'gold') AND (seats - 2) * 2 = 20 AND seats / 5 = 2.4 AND seats % 5 = 2",
        "-seats < 0 AND - -seats = +12 AND seats > -5",
        "id = 9007199254740993 AND id <> 9007199254740992",
        "plan = 'silver' OR plan = 'gold' AND seats = 12",
        "NOT plan = 'silver'",
        "seats < 13 = true",
    ] {
        assert!(is_true(text), "{text}");
    }
}

#[test]
fn what_is_missing_is_null_and_null_is_neither_true_nor_false() {
    for unknown in ["nobody = 1", "nobody <> 1", "NOT nobody = 1", "nobody = NULL", "left = left", "nobody IN (1)", "1 NOT IN (2, left)"] {
        assert!(!is_true(unknown) && !is_true(&format!("NOT ({unknown})")), "{unknown}");
        assert!(is_true(&format!("({unknown}) IS NULL")), "{unknown}");
    }
    assert!(is_true("(nobody = 1 AND plan = 'x') = false AND (nobody = 1 OR plan = 'gold')"));
    assert!(is_true("1 IN (left, 1)"));
}

#[test]
fn values_of_different_types_are_not_equal_and_have_no_order() {
    for text in ["seats = '12'", "plan = 5", "active = 'true'", "active = 1", "tags = 'red'", "owner = owner", "seats LIKE '12'"] {
        assert!(!is_true(text) && is_true(&format!("NOT ({text})")), "{text}");
    }
    for text in ["plan > 5", "NOT plan > 5", "active > false", "tags BETWEEN 1 AND 2", "plan + 1 = 1", "seats / 0 = 1", "'x' IN plan"] {
        assert!(!is_true(text), "{text}");
    }
    assert!(is_true("plan <> 5 AND seats / 0 IS NULL AND seats % 0 IS NULL AND 1e308 * 10 IS NULL"));
}

#[test]
fn a_text_that_is_no_condition_is_refused_where_it_goes_wrong() {
    for (text, at, expected) in [
        ("plan =", 7, "a name or a value"),
        ("plan = 'gold", 8, "a closing '"),
        ("plan = 'gold' OR 'silver'", 18, "a condition"),
        ("'gold'", 1, "a condition"),
        ("NOT 5", 5, "a condition"),
        ("plan 'gold'", 6, "an operator"),
        ("ä = 1 AND ? = 2", 11, "a name, a value or an operator"),
        ("plan IN 'gold'", 9, "a list in parentheses"),
        ("plan IN ()", 10, "a name or a value"),
        ("plan IN ('a' 'b')", 14, "`,` or `)`"),
        ("(plan = 1", 10, "an operator or `)`"),
        ("plan = 1)", 9, "an operator"),
        ("plan IS 1", 9, "NULL"),
        ("plan NOT 1", 10, "IN, BETWEEN or LIKE"),
        ("seats BETWEEN 1 OR 2", 17, "AND"),
        ("plan LIKE plan", 11, "a pattern"),
        ("owner. = 1", 8, "a name"),
        ("user-id = 1 AND and = 1", 17, "a name or a value"),
        ("seats = 1e999", 9, "a number within"),
        ("", 1, "a name or a value"),
        ("plan = 1; DROP TABLE sessions", 9, "a name, a value or an operator"),
    ] {
        let problem = refused(text);
        assert!(problem.starts_with(&format!("at character {at}: expected {expected}")), "{text}: {problem}");
    }
}

#[test]
fn deep_and_large_expressions_are_refused() {
    let nested = |depth: usize| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse::condition(&nested(METADATA_FILTER_DEPTH)).is_ok());
    for text in [nested(METADATA_FILTER_DEPTH + 1), "NOT ".repeat(1_000) + "a", "-".repeat(7_000) + "a = 1", "(".repeat(8_000)] {
        assert!(refused(&text).contains("levels"), "{text}");
    }
    let wide = |terms: usize| vec!["a"; terms].join(" OR ");
    assert!(parse::condition(&wide(METADATA_FILTER_NODES / 2)).is_ok());
    assert!(refused(&wide(METADATA_FILTER_NODES)).contains("at most"));
    assert!(refused(&format!("a LIKE '{}'", "_".repeat(7_000))).contains("a shorter pattern"));
}

#[test]
fn a_condition_that_works_too_hard_says_so() {
    let filter = filter("text LIKE '%b%a%' OR n = 1");
    let metadata = json!({"text": "a".repeat(60_000), "n": 1});
    let metadata = metadata.as_object().unwrap();
    assert!(filter.matches(metadata) && filter.came_to_its_end().is_ok());
    while filter.matches(metadata) {}
    let refusal = filter.came_to_its_end().unwrap_err();
    assert!(refusal.body("r")["field_errors"][NAME].is_string());
}

#[test]
fn the_parameter_is_bounded_and_named_in_refusals() {
    let params = |text: &str| Params::of(&format!("/x?metadata_filter={text}").parse().unwrap()).unwrap();
    assert!(MetadataFilter::of(&params("")).unwrap().is_none());
    let read = MetadataFilter::of(&params("%20plan%3D%27gold%27")).unwrap().unwrap();
    assert_eq!(read.to_string(), "\"plan\" = 'gold'");
    for bad in ["plan%3D", &"a".repeat(METADATA_FILTER_CHARACTERS + 1)] {
        let error = MetadataFilter::of(&params(bad)).err().unwrap();
        assert!(error.body("r")["field_errors"][NAME].is_string(), "{error:?}");
    }
}

fn literals() -> impl Strategy<Value = Expr> {
    prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Truth),
        (0..=i128::MAX).prop_map(|number| Literal::Number(Number::Whole(number))),
        (0.0..1e308f64).prop_map(|number| Literal::Number(Number::Float(number))),
        ".{0,8}".prop_map(Literal::Text),
    ]
    .prop_map(Expr::Literal)
}

fn paths() -> impl Strategy<Value = Expr> {
    prop::collection::vec(prop_oneof!["[a-z_]{1,6}", ".{0,4}", Just("metadata".to_owned()), Just("and".to_owned())], 0..4)
        .prop_map(Expr::Path)
}

fn operators() -> impl Strategy<Value = Operator> {
    prop::sample::select(vec!["or", "AND", "=", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"])
        .prop_map(|symbol| Operator::read(symbol).expect("an operator"))
}

/// Expressions that the grammar can make: no condition is asked of a value.
fn expressions() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![literals(), paths()];
    leaf.prop_recursive(6, 40, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let condition = inner.clone().prop_filter("a condition", Expr::may_be_a_condition).prop_map(Box::new);
        prop_oneof![
            condition.prop_map(Expr::Not),
            boxed.clone().prop_map(Expr::Negative),
            (boxed.clone(), operators(), boxed.clone())
                .prop_filter("conditions", |(left, operator, right)| {
                    operator.level() > Level::And || (left.may_be_a_condition() && right.may_be_a_condition())
                })
                .prop_map(|(left, operator, right)| Expr::Binary(left, operator, right)),
            boxed.clone().prop_map(Expr::IsNull),
            (boxed.clone(), prop::collection::vec(inner, 1..4)).prop_map(|(of, items)| Expr::Among(of, items)),
            (boxed.clone(), paths()).prop_map(|(of, list)| Expr::Within(of, list.into())),
            (boxed.clone(), boxed.clone(), boxed.clone()).prop_map(|(of, from, to)| Expr::Between(of, from, to)),
            (boxed, ".{0,6}").prop_map(|(of, text)| Expr::Like(of, Pattern::new(text).expect("a short pattern"))),
        ]
    })
}

proptest! {
    #[test]
    fn a_printed_condition_is_read_as_itself(condition in expressions().prop_filter("a condition", Expr::may_be_a_condition)) {
        prop_assert_eq!(parse::condition(&condition.to_string()), Ok(condition));
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        let _ = parse::condition(&text);
    }

    #[test]
    fn no_row_of_words_makes_it_panic_and_what_is_read_can_be_looked_at(
        words in prop::collection::vec(prop::sample::select(vec![
            "plan", "seats", "tags", "metadata", ".", "'gold'", "12", "1.5", "NULL", "TRUE", "AND", "OR", "NOT", "IN", "IS", "LIKE",
            "BETWEEN", "(", ")", ",", "=", "<>", "<", ">=", "+", "-", "*", "/", "%", "\"x\"", "''",
        ]), 0..14),
    ) {
        let text = words.join(" ");
        if let Ok(condition) = parse::condition(&text) {
            prop_assert_eq!(parse::condition(&condition.to_string()), Ok(condition.clone()));
            filter(&text).matches(customer().as_object().unwrap());
        }
    }
}
