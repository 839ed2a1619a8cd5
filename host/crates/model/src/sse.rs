//! Server-sent events out of bytes that come in any pieces. Bounded; knows
//! nothing of what the events mean.

/// The most bytes of one event. A provider's largest is a whole tool call in one
/// piece; a peer that never ends its line must not fill our memory.
pub(crate) const EVENT_BYTES_MAX: usize = 4 << 20;

/// An event was longer than [`EVENT_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the provider sent one event of more than {EVENT_BYTES_MAX} bytes")]
pub(crate) struct TooLong;

/// Reads a stream. Lines end with LF, CR or CRLF; comments, ids and retry times are skipped.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// A line whose end has not come.
    line: Vec<u8>,
    name: String,
    data: Vec<u8>,
    has_data: bool,
    /// The last piece ended with CR: an LF that comes next belongs to it.
    after_cr: bool,
    begun: bool,
}

impl Parser {
    /// A parser at the begin of a stream.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes in the next bytes and hands out every event that they complete: its name (often empty) and its data.
    pub(crate) fn push<E: From<TooLong>>(
        &mut self,
        mut bytes: &[u8],
        on_event: &mut impl FnMut(&str, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) else {
                return self.keep(bytes).map_err(E::from);
            };
            let (piece, rest) = (&bytes[..end], &bytes[end + 1..]);
            self.after_cr = bytes[end] == b'\r';
            bytes = rest;
            if self.line.is_empty() {
                self.line_ended(piece, on_event)?;
            } else {
                self.keep(piece)?;
                let line = std::mem::take(&mut self.line);
                self.line_ended(&line, on_event)?;
                self.line = line;
                self.line.clear();
            }
        }
        Ok(())
    }

    /// The stream ended: hands out an event whose empty line never came, if there is one. It may be cut.
    pub(crate) fn finish<E: From<TooLong>>(&mut self, on_event: &mut impl FnMut(&str, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.line_ended(&line, on_event)?;
        }
        self.line_ended(b"", on_event)
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + piece.len() > EVENT_BYTES_MAX {
            return Err(TooLong);
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    fn line_ended<E: From<TooLong>>(&mut self, line: &[u8], on_event: &mut impl FnMut(&str, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let line = match std::mem::replace(&mut self.begun, true) {
            false => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            true => line,
        };
        if line.is_empty() {
            let outcome = if self.has_data { on_event(&self.name, &self.data) } else { Ok(()) };
            self.name.clear();
            self.data.clear();
            self.has_data = false;
            return outcome;
        }
        let (field, value) = match line.iter().position(|b| *b == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.data.len() + value.len() + 1 > EVENT_BYTES_MAX {
                    return Err(TooLong.into());
                }
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Result<Vec<(String, String)>, TooLong> {
        let mut parser = Parser::new();
        let mut events = Vec::new();
        let mut on_event = |name: &str, data: &[u8]| {
            events.push((name.to_owned(), String::from_utf8_lossy(data).into_owned()));
            Ok::<(), TooLong>(())
        };
        for piece in pieces {
            parser.push(piece, &mut on_event)?;
        }
        parser.finish(&mut on_event)?;
        Ok(events)
    }

    const STREAM: &[u8] =
        "\u{feff}: hello\r\ndata: {\"a\":1}\r\n\r\nevent: e\rdata:x\rdata: yé\r\rid: 7\nretry: 1\n\ndata\n\ndata: [DONE]".as_bytes();

    #[test]
    fn line_ends_comments_names_and_joined_data_are_read() {
        let expected = [("", "{\"a\":1}"), ("e", "x\nyé"), ("", ""), ("", "[DONE]")];
        let expected: Vec<_> = expected.iter().map(|(name, data)| (name.to_string(), data.to_string())).collect();
        assert_eq!(events(&[STREAM]).unwrap(), expected);
    }

    #[test]
    fn every_cut_of_the_stream_reads_the_same() {
        let whole = events(&[STREAM]).unwrap();
        for cut in 0..=STREAM.len() {
            assert_eq!(events(&[&STREAM[..cut], &STREAM[cut..]]).unwrap(), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(events(&bytes).unwrap(), whole);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let long = vec![b'x'; EVENT_BYTES_MAX / 2 + 1];
        assert_eq!(events(&[b"data: ", &long, &long]), Err(TooLong));
        assert_eq!(events(&[b"data: ", &long, b"\ndata: ", &long, b"\n"]), Err(TooLong));
    }
}
