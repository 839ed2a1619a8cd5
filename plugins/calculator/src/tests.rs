//! The tool from expression to digits.

use wardian_plugin::{Reason, testing};

use crate::{describe, invoke};

fn calculate(expression: &str) -> Result<testing::Value, wardian_plugin::Error> {
    let input = testing::Value::from_iter([("expression", expression)]);
    invoke("calculate", &input.to_string()).map(testing::data)
}

fn result(expression: &str) -> String {
    let answer = calculate(expression).unwrap_or_else(|error| panic!("{error}"));
    answer["result"].as_str().unwrap().to_owned()
}

fn fault(expression: &str) -> String {
    let error = calculate(expression).expect_err(expression);
    assert_eq!(error.reason, Reason::InvalidInput);
    error.message
}

#[track_caller]
fn equal(pairs: &[(&str, &str)]) {
    for (expression, expected) in pairs {
        assert_eq!(result(expression), *expected, "{expression}");
    }
}

#[track_caller]
fn faults(pairs: &[(&str, &str)]) {
    for (expression, expected) in pairs {
        let message = fault(expression);
        assert!(message.contains(expected), "{expression}: {message}");
    }
}

#[test]
fn the_tool_keeps_the_contract_and_its_examples() {
    testing::check(&describe(), invoke);
}

#[test]
fn decimals_are_exact() {
    equal(&[
        ("0.1 + 0.2", "0.3"),
        ("1.10 * 3", "3.3"),
        ("0.1 * 0.1 * 0.1", "0.001"),
        ("1 / 8", "0.125"),
        ("1/3 * 3", "1"),
        ("1e-3 + 2E2", "200.001"),
        ("2.5e3", "2500"),
        ("-0.5", "-0.5"),
        (".5 + 5.", "5.5"),
        ("1e-20 + 1", "1.00000000000000000001"),
    ]);
    assert_eq!(calculate("0.1 + 0.2").unwrap()["exact"], true);
}

#[test]
fn operators_bind_as_in_school() {
    equal(&[
        ("2 + 3 * 4", "14"),
        ("(2 + 3) * 4", "20"),
        ("2 - 3 - 4", "-5"),
        ("16 / 4 / 2", "2"),
        ("2 ^ 3 ^ 2", "512"),
        ("-2 ^ 2", "-4"),
        ("2 ^ -1", "0.5"),
        ("2 ** 10", "1024"),
        ("3! ^ 2", "36"),
        ("--3", "3"),
        ("6 × 7 ÷ 2 − 1", "20"),
        ("√16 + 1", "5"),
        ("2 x 3", "6"),
    ]);
}

#[test]
fn percent_is_a_share_and_between_numbers_the_remainder() {
    equal(&[
        ("15%", "0.15"),
        ("15% of 80", "12"),
        ("200 + 15%", "230"),
        ("200 - 15%", "170"),
        ("200 * 15%", "30"),
        ("200 + 15% * 10", "201.5"),
        ("10 % 3", "1"),
        ("-7 % 3", "2"),
        ("10 mod 4", "2"),
        ("7.5 % 2", "1.5"),
        ("50% + 1", "1.5"),
    ]);
}

#[test]
fn large_whole_numbers_keep_all_their_digits() {
    equal(&[
        ("2^200", "1606938044258990275541962092341162602522202993782792835301376"),
        ("30!", "265252859812191058636308480000000"),
        ("ncr(52, 5)", "2598960"),
        ("npr(10, 3)", "720"),
        ("gcd(84, 36) + lcm(4, 6)", "24"),
    ]);
    assert_eq!(result("520!").len(), 1189);
}

#[test]
fn roots_and_logarithms_are_exact_where_they_can_be() {
    equal(&[
        ("sqrt(16)", "4"),
        ("sqrt(0.25)", "0.5"),
        ("8 ^ (1/3)", "2"),
        ("(4/9) ^ 1.5", "0.2962962962962962962962962962962963"),
        ("cbrt(-27)", "-3"),
        ("root(81, 4)", "3"),
        ("log10(1000)", "3"),
        ("log10(0.001)", "-3"),
        ("log(8, 2)", "3"),
        ("log2(1024)", "10"),
        ("ln(1) + exp(0)", "1"),
        ("0^0", "1"),
    ]);
    assert_eq!(calculate("log(8, 2)").unwrap()["exact"], true);
    assert_eq!(calculate("(4/9) ^ 1.5").unwrap()["fraction"], "8/27");
}

#[test]
fn what_is_not_exact_has_34_correct_digits() {
    equal(
        &[
            ("pi", "3.141592653589793238462643383279503"),
            ("e", "2.718281828459045235360287471352662"),
            ("sqrt(2)", "1.414213562373095048801688724209698"),
            ("ln(2)", "0.6931471805599453094172321214581766"),
            ("ln(10)", "2.302585092994045684017991454684364"),
            ("exp(-1)", "0.3678794411714423215955237701614609"),
            ("exp(100)", "2.688117141816135448412625551580014e43"),
            ("sin(1)", "0.8414709848078965066525023216302990"),
            ("cos(1)", "0.5403023058681397174009366074429766"),
            ("tan(1)", "1.557407724654902230506974807458360"),
            ("atan(1) * 4", "3.141592653589793238462643383279503"),
            ("asin(0.5)", "0.5235987755982988730771072305465838"),
            ("acos(-1)", "3.141592653589793238462643383279503"),
            ("atan(1000000)", "1.570795326794896619564655024972885"),
            ("2 ^ 0.5", "1.414213562373095048801688724209698"),
            ("10 ^ -0.5", "0.3162277660168379331998893544432719"),
            ("cbrt(2)", "1.259921049894873164767210607278228"),
        ]
        .map(|(expression, digits)| (expression, digits.trim_end_matches('0'))),
    );
    assert_eq!(calculate("pi").unwrap()["exact"], false);
}

#[test]
fn noise_of_rounding_does_not_show() {
    equal(&[
        ("sin(pi)", "0"),
        ("cos(pi / 2)", "0"),
        ("sin(30°)", "0.5"),
        ("sin(radians(150))", "0.5"),
        ("tan(45°)", "1"),
        ("sqrt(2) ^ 2", "2"),
        ("sqrt(2)^2 - 2", "0"),
        ("exp(ln(3))", "3"),
        ("floor(exp(ln(3)))", "3"),
        ("degrees(pi)", "180"),
        ("ceil(sqrt(2) ^ 2)", "2"),
        ("(2^0.5)^2 % 2", "0"),
    ]);
}

#[test]
fn growth_is_calculated_although_the_exact_fraction_would_be_huge() {
    equal(&[
        ("round(1000 * (1 + 0.05/365) ^ 3650, 2)", "1648.66"),
        ("round(1.0001 ^ 100000, 4)", "22015.456"),
        ("1.5 ^ 5000", "2.859534090271398160533594446937362e880"),
        ("0.5 ^ 3000", "8.128548625557735440471878057468511e-904"),
    ]);
}

#[test]
fn numbers_are_rounded_and_compared() {
    equal(&[
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(3.14159, 2)", "3.14"),
        ("round(1234.5, -2)", "1200"),
        ("floor(-1.5)", "-2"),
        ("ceil(-1.5)", "-1"),
        ("trunc(-1.5)", "-1"),
        ("sign(-3) + sign(0) + sign(9)", "0"),
        ("min(3, 1/3, 2) * 3", "1"),
        ("max(1, 2, 3)", "3"),
        ("mean(1, 2, 3, 4)", "2.5"),
        ("median(5, 1, 3)", "3"),
        ("median(4, 1, 3, 2)", "2.5"),
        ("sum(1, 2, 3) + abs(-4)", "10"),
    ]);
}

#[test]
fn small_and_large_results_are_written_with_an_exponent() {
    equal(&[
        ("1 / 10^25", "1e-25"),
        ("15 / 10^26", "1.5e-25"),
        ("1.5 * 10^-10", "0.00000000015"),
        ("10^40 * 1.0", "10000000000000000000000000000000000000000"),
        ("10^0.5 * 10^100", "3.162277660168379331998893544432719e100"),
    ]);
}

#[test]
fn a_problem_names_its_position() {
    assert_eq!(fault("2 + * 3"), "cannot calculate the expression: expected a number at position 5, at \"* 3\"");
    faults(&[
        ("2 + * 3", "expected a number at position 5"),
        ("2 +", "expected a number where the expression ends at position 4"),
        ("", "expected a number where the expression ends at position 1"),
        ("(1 + 2", "the parenthesis is never closed at position 1"),
        ("1 + 2)", "expected an operator at position 6"),
        ("2pi", "expected an operator (write 2 * 3 for 2 3 and 2 * pi for 2pi) at position 2"),
        ("1,000 + 1", "write 1000 for 1,000"),
        ("1.2.3", "one decimal point"),
        ("$5 * 2", "leave out the currency sign $ at position 1"),
        ("x = 3", "equations cannot be solved"),
        ("2 + foo(3)", "foo is not known (functions: abs, acos"),
        ("sqrt", "sqrt needs parentheses"),
        ("sqrt(1, 2)", "sqrt takes 1 argument and was given 2"),
        ("max()", "max takes 1 argument or more and was given 0"),
        ("1 / (2 - 2)", "division by zero at position 3"),
        ("sqrt(-1)", "no real root"),
        ("(-8)^(1/3)", "use cbrt or root"),
        ("ln(0)", "only positive numbers"),
        ("tan(90°)", "no tangent"),
        ("asin(2)", "between -1 and 1"),
        ("1.5!", "a factorial needs a whole number"),
        ("(-3)!", "negative"),
        ("2 # 3", "there is no sign '#' at position 3"),
    ]);
}

#[test]
fn work_without_end_is_refused_at_once() {
    let nested = format!("{}1{}", "(".repeat(400), ")".repeat(400));
    faults(&[
        ("9^9^9", "too large"),
        ("9^9^9^9^9^9^9", "too large"),
        ("2^-(10^9)", "too close to zero"),
        ("1.0000000001^(10^100)", "too large"),
        ("99999!", "too large"),
        ("(10^300)!", "too large"),
        ("3!!!!!", "too large"),
        ("exp(1e9)", "too large"),
        ("exp(-1e9)", "too close to zero"),
        ("1e999999999", "an exponent goes up to 1200"),
        ("1e1200 * 1e1200", "too large"),
        ("ncr(1000000000, 500000000)", "too large"),
        ("npr(1000000000, 500000000)", "too large"),
        ("sin(1e100)", "an angle goes up to"),
        ("round(1, 1e9)", "from -100 to 100"),
        (&nested, "inside each other"),
        (&"-".repeat(900), "inside each other"),
        (&"1+".repeat(600), "1200 characters"),
    ]);
    assert_eq!(result("1^(10^1000)"), "1");
}

#[test]
fn the_heaviest_expressions_come_to_an_end() {
    let heavy = [
        (1..160).map(|k| format!("1/{k}")).collect::<Vec<_>>().join("+"),
        "sin(".repeat(60) + "1" + &")".repeat(60),
        vec!["9^999"; 100].join("+"),
        vec!["7!^0.3"; 100].join("*"),
        vec!["(2/3)^999"; 90].join("/"),
        vec!["ncr(3980,1990)"; 60].join("*"),
        vec!["cbrt(3^799)"; 80].join("+"),
    ];
    for expression in heavy {
        let _ = calculate(&expression);
    }
}

#[test]
fn a_long_expression_is_not_a_deep_one() {
    equal(&[(&vec!["1"; 500].join("+"), "500"), (&format!("1{}", "!".repeat(999)), "1")]);
}

#[test]
fn nothing_that_can_be_typed_makes_it_panic() {
    let pieces = [
        "1", "0", ".", "e", "pi", "+", "-", "*", "/", "%", "^", "!", "(", ")", ",", "sqrt(", "log(", "ncr(", "°", "√", " ", "1e5", "0.1",
        "round(", "of", "mod", "é",
    ];
    let mut state = 7u64;
    for _ in 0..3000 {
        let text: String = (0..12)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                pieces[(state >> 33) as usize % pieces.len()]
            })
            .collect();
        let _ = calculate(&text);
    }
}
