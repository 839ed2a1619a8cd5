//! From bytes to text. UTF-8, and the Latin-1 that older pages are written in,
//! which is read as Windows-1252, as browsers do.

/// Where a page may say in which encoding it is written.
const DECLARATION_BYTES: usize = 1_024;

/// The characters of Windows-1252 from 0x80 to 0x9F.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–',
    '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The name of an encoding that is not known here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown(pub(crate) String);

/// Decodes a page. What it says about itself counts only where its server says
/// nothing; where neither does, the bytes decide.
pub(crate) fn decode(bytes: &[u8], from_server: Option<&str>, is_html: bool) -> Result<String, Unknown> {
    if let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        return Ok(String::from_utf8_lossy(rest).into_owned());
    }
    let declared = from_server.map(str::to_owned).or_else(|| is_html.then(|| declared_in(bytes)).flatten());
    let is_utf_8 = match declared.map(|name| name.to_ascii_lowercase()).as_deref() {
        Some("utf-8" | "utf8") => true,
        Some("iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "latin-1" | "windows-1252" | "cp1252") => false,
        // What is not valid UTF-8 is Latin-1 or wrongly labelled.
        Some("us-ascii" | "ascii") | None => is_utf_8_so_far(bytes),
        Some(other) => return Err(Unknown(other.to_owned())),
    };
    Ok(if is_utf_8 { String::from_utf8_lossy(bytes).into_owned() } else { bytes.iter().map(|&byte| from_windows_1252(byte)).collect() })
}

/// The last character may have been cut.
fn is_utf_8_so_far(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}

fn from_windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => byte.into(),
    }
}

/// The value of the first `charset=` near the start.
fn declared_in(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(DECLARATION_BYTES)]).to_ascii_lowercase();
    let (_, value) = head.split_once("charset=")?;
    let value = value.trim_start_matches(['"', '\'', ' ']);
    let end = value.find(|character: char| !character.is_ascii_alphanumeric() && !matches!(character, '-' | '_'))?;
    (end > 0).then(|| value[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_decides_before_the_page() {
        let page = b"<meta charset=utf-8>\xe9";
        assert_eq!(decode(page, Some("ISO-8859-1"), true).unwrap(), "<meta charset=utf-8>é");
        assert_eq!(decode(page, None, true).unwrap(), "<meta charset=utf-8>\u{FFFD}");
    }

    #[test]
    fn the_page_decides_where_the_server_says_nothing() {
        let page = b"<meta http-equiv='Content-Type' content='text/html; charset=windows-1252'>\x80 5";
        assert!(decode(page, None, true).unwrap().ends_with("€ 5"));
    }

    #[test]
    fn the_bytes_decide_where_nobody_says_anything() {
        assert_eq!(decode("é".as_bytes(), None, false).unwrap(), "é");
        assert_eq!(decode(b"\xe9t\xe9 \x93x\x94", None, false).unwrap(), "été “x”");
        assert_eq!(decode(b"caf\xc3", None, false).unwrap(), "caf\u{FFFD}");
        assert_eq!(decode(b"\xEF\xBB\xBFx", Some("latin1"), false).unwrap(), "x");
    }

    #[test]
    fn other_encodings_are_named() {
        assert_eq!(decode(b"", Some("Shift_JIS"), true), Err(Unknown("shift_jis".into())));
    }
}
