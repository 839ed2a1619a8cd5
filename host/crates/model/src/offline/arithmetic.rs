//! The arithmetic in a question, in the notation of a calculator.

/// Names that may stand inside an expression.
const NAMES: &[&str] =
    &["sqrt", "abs", "round", "floor", "ceil", "min", "max", "ln", "log10", "log", "exp", "sin", "cos", "tan", "pi", "factorial"];

/// Words that people use for signs.
const SPOKEN: &[(&str, &str)] = &[
    ("multiplied by", "*"),
    ("divided by", "/"),
    ("to the power of", "^"),
    ("plus", "+"),
    ("minus", "-"),
    ("times", "*"),
    ("over", "/"),
    ("×", "*"),
    ("÷", "/"),
    ("−", "-"),
    ("**", "^"),
];

/// The longest piece of the text that is something to calculate, or none.
pub(super) fn expression(text: &str) -> Option<String> {
    let mut text = text.to_lowercase();
    for (spoken, sign) in SPOKEN {
        text = text.replace(spoken, sign);
    }
    let text = text.replace("% of ", "% * ");
    let best = runs(&text).into_iter().filter(|run| calculates(run)).max_by_key(|run| run.len())?;
    Some(best.to_owned())
}

/// Pieces that hold nothing but numbers, signs and the names above.
fn runs(text: &str) -> Vec<&str> {
    let mut runs = Vec::new();
    let (mut begin, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let first = rest.chars().next().unwrap_or(' ');
        let (fits, step) = match first {
            '0'..='9' => {
                let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                (true, digits)
            }
            c if c.is_ascii_alphabetic() => (NAMES.contains(&&rest[..word]), word),
            c => ("+-*/^%().,! ".contains(c), c.len_utf8()),
        };
        at += step.max(1);
        if !fits {
            runs.push(&text[begin..at - step.max(1)]);
            begin = at;
        }
    }
    runs.push(&text[begin..]);
    runs.into_iter().map(|run| run.trim_matches([' ', '.', ',', '*', '/', '^', '+', '=']).trim_end_matches(['-', ' '])).collect()
}

/// Whether there is a number and something to do with it; a date is neither.
fn calculates(run: &str) -> bool {
    let number = run.contains(|c: char| c.is_ascii_digit()) || run.contains("pi");
    let sign = run.trim_start_matches('-').contains(['+', '-', '*', '/', '^', '%', '!']);
    let name = NAMES.iter().any(|name| run.contains(name)) && run.contains('(');
    number && (sign || name) && !is_date(run)
}

fn is_date(run: &str) -> bool {
    let date = run.split(' ').next().unwrap_or_default();
    let parts: Vec<&str> = date.split('-').collect();
    parts.len() == 3 && parts[0].len() == 4 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_in_a_question_is_found() {
        for (text, found) in [
            ("What is 12 * (3 + 4)?", Some("12 * (3 + 4)")),
            ("please calculate sqrt(16) + 1.5", Some("sqrt(16) + 1.5")),
            ("How much is 15% of 80?", Some("15% * 80")),
            ("what is 2 plus 2", Some("2 + 2")),
            ("7 times 8 please", Some("7 * 8")),
            ("add -5 - 3.", Some("-5 - 3")),
            ("what happened on 2024-01-15?", None),
            ("I have 3 widgets, they are broken", None),
            ("größer als 3 × 4?", Some("3 * 4")),
            ("", None),
        ] {
            assert_eq!(expression(text).as_deref(), found, "{text}");
        }
    }
}
