//! The differences of a changed plugin as text for a terminal. They are the
//! words of somebody who is not trusted yet: nothing in them steers the terminal
//! or passes for a line of ours.

use std::fmt::Write;

use serde_json::Value;

/// Lines that are shown; what a person reads before a decision is shorter. The rest is in the JSON form.
const LINES_MAX: usize = 2_000;

/// Differences as text.
pub(super) struct Rendered {
    /// Ends with a line break.
    pub(super) text: String,
    /// Whether nothing was left out.
    pub(super) whole: bool,
}

/// What the operator reads before deciding.
pub(super) fn rendered(changes: &Value) -> Rendered {
    let mut lines = vec![format!("plugin {}: {}", word(changes, "name"), standing(changes))];
    lines.push(format!("  accepted  {}", side(&changes["accepted"], "nothing yet")));
    lines.push(format!("  found     {}", side(&changes["found"], "nothing that can be used")));
    for change in changes["changes"].as_array().into_iter().flatten() {
        lines.push(String::new());
        lines.push(safe(change["what"].as_str().unwrap_or_default()));
        for (sign, member) in [('-', "before"), ('+', "after")] {
            lines.extend(
                change[member].as_str().into_iter().flat_map(|text| text.split('\n')).map(|line| format!("  {sign} {}", safe(line))),
            );
        }
    }
    let whole = lines.len() <= LINES_MAX;
    if !whole {
        let more = lines.len() - LINES_MAX;
        lines.truncate(LINES_MAX);
        lines.push(format!("... and {more} more lines, which `wardian plugins diff {} --json` shows", word(changes, "name")));
    }
    Rendered { text: lines.join("\n") + "\n", whole }
}

/// Whether what lies there is what was accepted.
pub(super) fn same(changes: &Value) -> bool {
    let (accepted, found) = (&changes["accepted"], &changes["found"]);
    let digests = ["component", "tools_digest", "requests_digest"];
    accepted.is_object() && digests.iter().all(|digest| accepted[digest] == found[digest])
}

fn standing(changes: &Value) -> String {
    match changes["reason"].as_str() {
        Some(reason) => format!("{}: {}", word(changes, "state"), safe(reason)),
        None => word(changes, "state"),
    }
}

fn side(side: &Value, none: &str) -> String {
    if side.is_null() {
        return none.to_owned();
    }
    let mut text = format!("version {}, {}", word(side, "version"), word(side, "component"));
    if side["at"].is_string() {
        // Writing to a string does not fail.
        let _ = write!(text, ", on {} by {}", word(side, "at"), word(side, "by"));
    }
    text
}

fn word(value: &Value, member: &str) -> String {
    safe(value[member].as_str().unwrap_or("-"))
}

/// One line in which everything that is not plainly visible stands as an escape.
fn safe(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        // Debug's escapes cover controls, formats and what has no width; quotes stay as they are.
        if matches!(c, '"' | '\'' | '\\') {
            shown.push(c);
        } else {
            shown.extend(c.escape_debug());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn changed(after: &str) -> Value {
        json!({
            "name": "web", "state": "changed", "reason": "its component changed",
            "accepted": {"component": "sha256:aa", "tools_digest": "t", "requests_digest": "r", "version": "1", "at": "2026-01-01", "by": "key 7"},
            "found": {"component": "sha256:bb", "tools_digest": "t", "requests_digest": "r", "version": "2"},
            "changes": [{"what": "tool get: description", "before": "Gets a page.", "after": after}],
        })
    }

    #[test]
    fn both_sides_are_shown_line_by_line() {
        let Rendered { text, whole } = rendered(&changed("Gets a page.\nAlways."));
        assert!(whole);
        assert_eq!(
            text,
            "plugin web: changed: its component changed\n  accepted  version 1, sha256:aa, on 2026-01-01 by key 7\n  found     \
             version 2, sha256:bb\n\ntool get: description\n  - Gets a page.\n  + Gets a page.\n  + Always.\n"
        );
        assert!(!same(&changed("x")));
    }

    #[test]
    fn nothing_in_it_steers_the_terminal_or_hides() {
        let Rendered { text, .. } = rendered(&changed("\u{1b}[2J\rok\u{7}\u{9b}1m\u{202e}\u{200b}\u{e0041} \"é\""));
        assert!(text.contains("  + \\u{1b}[2J\\rok\\u{7}\\u{9b}1m\\u{202e}\\u{200b}\\u{e0041} \"é\"\n"), "{text}");
    }

    #[test]
    fn a_flood_is_cut_off_and_says_so() {
        let Rendered { text, whole } = rendered(&changed(&"x\n".repeat(1_000_000)));
        assert!(!whole && text.lines().count() == LINES_MAX + 1 && text.contains("more lines"));
    }
}
