//! Messages from standard input, one a line.

use std::io::{BufRead, Read};

use tokio::sync::mpsc;

/// What came of waiting for a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A message.
    Text(String),
    /// A line that is longer than this many bytes; it was passed over.
    TooLong(usize),
    /// No more messages.
    End,
}

/// Where messages come from.
pub(super) struct Lines(mpsc::Receiver<Line>);

impl Lines {
    /// Standard input. Its thread waits in the system for as long as nothing comes; the end of the process ends it.
    pub(super) fn of_stdin(bytes_max: usize) -> Self {
        let (lines, receiver) = mpsc::channel(1);
        std::thread::spawn(move || {
            let mut input = std::io::stdin().lock();
            while let Ok(line) = read(&mut input, bytes_max) {
                if line == Line::End || lines.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// The next message. Nothing is lost where nobody waits for it to the end.
    pub(super) async fn next(&mut self) -> Line {
        self.0.recv().await.unwrap_or(Line::End)
    }
}

/// The next line without its end. What is no UTF-8 is no JSON either: the server says so.
fn read(input: &mut impl BufRead, bytes_max: usize) -> std::io::Result<Line> {
    let mut line = Vec::new();
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    if input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(Line::End);
    }
    if line.last() != Some(&b'\n') && line.len() > bytes_max {
        input.skip_until(b'\n')?;
        return Ok(Line::TooLong(bytes_max));
    }
    Ok(Line::Text(String::from_utf8_lossy(line.trim_ascii_end()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_passed_over_whole() {
        let mut input = b"12345\n123456\n\r\n1\r\nlast".as_slice();
        let text = |text: &str| Line::Text(text.to_owned());
        for wanted in [text("12345"), Line::TooLong(5), text(""), text("1"), text("last"), Line::End, Line::End] {
            assert_eq!(read(&mut input, 5).unwrap(), wanted);
        }
    }
}
