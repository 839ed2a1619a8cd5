//! A text with one level of escapes read, and where each part of it stood before.

/// What a text says once its escapes are read.
pub(super) struct View {
    /// The text that is meant.
    pub(super) bytes: Vec<u8>,
    /// The ends of the escapes: in these bytes, and in those that were read.
    ends: Vec<(usize, usize)>,
}

impl View {
    /// Reads what begins with a backslash: the escapes of JSON, and those that a quoted text has elsewhere.
    /// None where nothing is escaped.
    pub(super) fn of_escaped(text: &[u8]) -> Option<Self> {
        Self::read(text, b'\\', escape)
    }

    /// Reads `%XX`. None where there is none.
    pub(super) fn of_percent(text: &[u8]) -> Option<Self> {
        Self::read(text, b'%', percent)
    }

    /// Where a place in these bytes stood in those that were read.
    pub(super) fn source(&self, at: usize) -> usize {
        let before = self.ends.partition_point(|(here, _)| *here <= at);
        self.ends[..before].last().map_or(at, |(here, there)| there + (at - here))
    }

    /// `one` adds what an escape means, and says how long it is; what is no escape stays as it is.
    fn read(text: &[u8], sign: u8, one: fn(&[u8], &mut Vec<u8>) -> Option<usize>) -> Option<Self> {
        let mut view = Self { bytes: Vec::new(), ends: Vec::new() };
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| *byte == sign) {
            view.bytes.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            match one(rest, &mut view.bytes) {
                Some(length) => {
                    rest = &rest[length..];
                    view.ends.push((view.bytes.len(), text.len() - rest.len()));
                }
                None => {
                    view.bytes.push(sign);
                    rest = &rest[1..];
                }
            }
        }
        view.bytes.extend_from_slice(rest);
        (!view.ends.is_empty()).then_some(view)
    }
}

fn escape(text: &[u8], into: &mut Vec<u8>) -> Option<usize> {
    let meant = match *text.get(1)? {
        b'u' => return unicode(text, into),
        b'x' => {
            into.push(u8::try_from(number(text.get(2..4)?)?).ok()?);
            return Some(4);
        }
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        sign @ (b'"' | b'\'' | b'\\' | b'/') => sign,
        _ => return None,
    };
    into.push(meant);
    Some(2)
}

/// `\u` and four hexadecimal digits, or two of those that are one character.
fn unicode(text: &[u8], into: &mut Vec<u8>) -> Option<usize> {
    let unit = |at: usize| number(text.get(at..at + 6)?.strip_prefix(b"\\u")?);
    let char = char::decode_utf16([unit(0)?, unit(6).unwrap_or(0)]).next()?.ok()?;
    into.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    Some(6 * char.len_utf16())
}

fn percent(text: &[u8], into: &mut Vec<u8>) -> Option<usize> {
    into.push(u8::try_from(number(text.get(1..3)?)?).ok()?);
    Some(3)
}

/// At most four hexadecimal digits of either case.
fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |number, digit| Some(number << 4 | u16::try_from(char::from(*digit).to_digit(16)?).ok()?))
}
