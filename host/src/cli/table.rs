//! Columns of text for the terminal.

/// Prints rows under a heading, each column as wide as its widest cell. What a
/// client or a plugin named must not steer the terminal: control characters are left out.
pub(super) fn print<const N: usize>(heading: [&str; N], rows: &[[String; N]]) {
    print!("{}", rendered(heading, rows));
}

/// Text without characters that steer a terminal. Line breaks stay.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || *c == '\t' || !(c.is_control() || turns(*c))).collect()
}

/// Whether a character turns the direction of what follows, so that a line reads otherwise than it is (Unicode Bidirectional
/// Algorithm, UAX #9, section 2: embeddings, overrides, isolates). The marks that right-to-left texts need stay.
const fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn rendered<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let clean = |row: &[String; N]| row.clone().map(|cell| plain(&cell).replace(['\n', '\t'], " "));
    let rows: Vec<[String; N]> = std::iter::once(heading.map(str::to_owned)).chain(rows.iter().map(clean)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_or_turns_a_line_is_left_out() {
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}c\u{2066}d\n\te"), "a[2Jbcd\n\te");
        assert_eq!(plain("שלום\u{200f}!"), "שלום\u{200f}!", "marks that such texts need stay");
    }

    #[test]
    fn columns_line_up_and_nothing_steers_the_terminal() {
        let rows = [["a".to_owned(), "1".to_owned()], ["\u{1b}[2Jlong".to_owned(), "2".to_owned()]];
        assert_eq!(rendered(["NAME", "N"], &rows), "NAME     N\na        1\n[2Jlong  2\n");
    }
}
