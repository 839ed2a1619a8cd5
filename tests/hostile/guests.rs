//! The hostile guests of this folder as components: each file is put into the
//! frame; compile bombs, whose size is their point, are made here. The table in
//! `README.md` names them all, with the threat that each stands for and how it
//! has to end. Shared by the sandbox's tests and the end-to-end tests.

use std::path::{Path, PathBuf};

/// The limits and grants that the guests run under: a part of `wardian.toml`.
pub(crate) const POLICY: &str = include_str!("policy.toml");

const FRAME: &str = include_str!("frame.wat");

/// One guest of the table.
pub(crate) struct Guest {
    /// The threat: `T1`.
    pub(crate) row: String,
    /// Its name as a file and as a plugin: `t1-loop`.
    pub(crate) name: String,
    /// How it has to end.
    pub(crate) ends: Ends,
}

/// How a guest ends.
#[derive(Debug)]
pub(crate) enum Ends {
    /// It is never taken into service, for a reason that holds these words.
    Refused(String),
    /// It is called, and the call ends with one of these words.
    Called(Vec<String>),
}

impl Guest {
    /// All guests of the table.
    pub(crate) fn all() -> Vec<Self> {
        let guest = |[row, name, _, ends, _]: [String; 5]| Self { row, name, ends: Ends::read(&ends) };
        rows().into_iter().filter(|cells| is_ours(&cells[1])).map(guest).collect()
    }

    /// The component.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let file = folder().join(format!("{}.wat", self.name));
        match std::fs::read_to_string(&file) {
            Ok(text) => framed(&text),
            Err(_) => made(&self.name).unwrap_or_else(|| panic!("there is neither {} nor a bomb {}", file.display(), self.name)),
        }
    }
}

impl Ends {
    fn read(cell: &str) -> Self {
        match cell.strip_prefix("refused: ") {
            Some(words) => Self::Refused(words.into()),
            None => Self::Called(cell.split(" or ").map(|word| word.trim_matches('`').into()).collect()),
        }
    }
}

/// The lines of the table: row, guest, what it does, how it ends, which tests.
pub(crate) fn rows() -> Vec<[String; 5]> {
    let text = std::fs::read_to_string(folder().join("README.md")).expect("the table stands beside this file");
    let lines = text.lines().filter(|line| line.starts_with("| T") && line.contains('`'));
    lines
        .map(|line| {
            let cells: Vec<String> = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
            let [row, guest, does, ends, tests] = <[String; 5]>::try_from(cells).unwrap_or_else(|_| panic!("five cells: {line}"));
            [row, guest.trim_matches('`').to_owned(), does, ends, tests]
        })
        .collect()
}

/// Whether the cell names a guest of this folder; others are shipped plugins or files that a test makes.
fn is_ours(guest: &str) -> bool {
    guest.starts_with('t') && !guest.contains(' ')
}

/// This folder. The file is part of two crates that lie in different places.
fn folder() -> PathBuf {
    let within = |root: &Path| root.join("tests/hostile").is_dir();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|root| within(root));
    root.expect("the crate lies in the project").join("tests/hostile")
}

/// A guest's text in the frame.
fn framed(text: &str) -> Vec<u8> {
    let (guest, component) = text.split_once(";;; component\n").unwrap_or((text, ""));
    let mut guest = guest.to_owned();
    for (name, default) in
        [("$describe", "(func $describe (result i32) (i32.const 1024))"), ("$realloc", REALLOC), ("$done", "(func $done (param i32))")]
    {
        if !guest.contains(&format!("(func {name}")) {
            guest.push_str(default);
        }
    }
    let (data, pages) = descriptor(text);
    let whole = FRAME.replace("{component}", component).replace("{guest}", &guest).replace("{data}", &data);
    parse(&whole.replace("{pages}", &pages.to_string()))
}

/// What hands over arguments: a pointer that only goes up.
const REALLOC: &str = "(func $realloc (param i32 i32 i32 i32) (result i32) (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
  (global.set $free (i32.add (local.get $at) (local.get 3)))
  (local.get $at))";

fn parse(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("the guest's text is not well formed: {error}"))
}

/// The data that `describe` and `invoke` return where a guest does not say
/// otherwise, and the pages of memory that hold it.
fn descriptor(text: &str) -> (String, usize) {
    let said = |key: &str, default: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(";;; ")?.strip_prefix(key)?.strip_prefix(": "));
        unescaped(line.unwrap_or(default))
    };
    let mut texts = Vec::new();
    let mut place = |text: String| {
        let at = 65_536 + texts.len() as u32;
        texts.extend_from_slice(text.as_bytes());
        [at, text.len() as u32]
    };
    let schema = r#"{"type":"object","properties":{"n":{"type":"integer","maximum":9},"s":{"type":"string"}}}"#;
    // The record `tool`: name, description, input, output and, all zero, traits and annotations.
    let mut tool: Vec<u32> = [("name", "act"), ("description", "Does one thing."), ("schema", schema)]
        .iter()
        .flat_map(|(key, default)| place(said(key, default)))
        .collect();
    let output = said("output", "");
    if !output.is_empty() {
        tool.push(1);
        tool.extend(place(output));
    }
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let segments = [
        (64, b"ok".to_vec()),
        (1024, words(&[1040, 1])),
        (1040, words(&tool)),
        // The result `ok` with one part, a text of two bytes.
        (2056, words(&[2080, 1])),
        (2080, words(&[0, 64, 2])),
        (65_536, texts),
    ];
    let pages = 1 + segments[5].1.len().div_ceil(65_536);
    let data = segments.iter().map(|(at, bytes)| format!("(data (i32.const {at}) \"{}\")\n", escaped(bytes)));
    (data.collect(), pages)
}

/// The text with each `\u{…}` in place of the character that it names.
fn unescaped(text: &str) -> String {
    let mut pieces = text.split("\\u{");
    let mut whole = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_once('}').expect("a name of a character ends with a brace");
        whole.extend(u32::from_str_radix(digits, 16).ok().and_then(char::from_u32));
        whole.push_str(rest);
    }
    whole
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// The guests that are made: their text would be long and say little.
fn made(name: &str) -> Option<Vec<u8>> {
    let harmless = "(func $invoke (param i32 i32 i32 i32) (result i32) (call $ok))\n";
    let beside = |what: &str| framed(&format!("{harmless};;; component\n{what}"));
    Some(match name {
        "t5-instances" => beside(&format!("(core module $one) {}", "(core instance (instantiate $one))".repeat(100))),
        "t5-memories" => beside(&format!("(core module $one (memory 1)) {}", "(core instance (instantiate $one))".repeat(20))),
        "t5-tables" => beside(&format!("(core module $one (table 1 funcref)) {}", "(core instance (instantiate $one))".repeat(60))),
        "t15-nested" => nested(14, 4),
        "t15-deep" => nested(40, 1),
        "t15-doubling" => doubling(40),
        "t15-functions" => component(&functions(250_001, &EMPTY)),
        "t15-types" => component(&types(1_000_001)),
        "t15-blocks" => component(&functions(1, &blocks(30_000))),
        "t15-locals" => component(&functions(1, &locals(u32::MAX))),
        "t15-slow" => component(&functions(4_000, &busy(20))),
        "t15-sizes" => [COMPONENT, &[1, 0xff, 0xff, 0xff, 0xff, 0x0f], &[0; 64]].concat(),
        "t18-huge" => framed(&format!(";;; schema: {{\"type\":\"object\",\"title\":\"{}\"}}\n{harmless}", "x".repeat(10 << 20))),
        "t18-large" => framed(&format!(";;; schema: {{\"type\":\"object\",\"title\":\"{}\"}}\n{harmless}", "x".repeat(70 << 10))),
        _ => return None,
    })
}

/// `depth` components, each instantiating the one inside it `width` times.
fn nested(depth: usize, width: usize) -> Vec<u8> {
    let mut text = String::from("(component $c0)");
    for level in 1..depth {
        let instances = format!("(instance (instantiate $c{}))", level - 1).repeat(width);
        text = format!("(component $c{level} {text} {instances})");
    }
    parse(&text)
}

/// A type of 2^`levels` parts.
fn doubling(levels: usize) -> Vec<u8> {
    let mut text = String::from("(component (type $t0 (tuple u8 u8))");
    for level in 1..levels {
        text += &format!("(type $t{level} (tuple $t{0} $t{0}))", level - 1);
    }
    parse(&format!("{text} (instance $i) (export \"{TOOLS}\" (instance $i)))"))
}

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A function body without locals or instructions.
const EMPTY: [u8; 2] = [0, 0x0b];

/// A component around one core module. It poses as a plugin by the name of what it exports:
/// anything else is not even compiled.
fn component(module: &[u8]) -> Vec<u8> {
    let empty_instance = section(5, &[1, 1, 0]);
    let exported = [&[1, 0, TOOLS.len() as u8], TOOLS.as_bytes(), &[5, 0, 0]].concat();
    [COMPONENT, &section(1, module), &empty_instance, &section(11, &exported)].concat()
}

/// The interface by which a plugin is known.
const TOOLS: &str = "wardian:plugin/tools@0.1.0";

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], &*leb(content.len() as u32), content].concat()
}

/// A module of so many functions with this body.
fn functions(count: u32, body: &[u8]) -> Vec<u8> {
    let kinds = [leb(count), vec![0; count as usize]].concat();
    let body = [leb(body.len() as u32), body.to_vec()].concat();
    let bodies = [leb(count), body.repeat(count as usize)].concat();
    [MODULE, &section(1, &[1, 0x60, 0, 0]), &section(3, &kinds), &section(10, &bodies)].concat()
}

/// A module of so many types.
fn types(count: u32) -> Vec<u8> {
    let types = [leb(count), [0x60, 0, 0].repeat(count as usize)].concat();
    [MODULE, &section(1, &types)].concat()
}

/// A body of so many blocks, each in the one before.
fn blocks(depth: usize) -> Vec<u8> {
    [vec![0], [0x02, 0x40].repeat(depth), vec![0x0b; depth + 1]].concat()
}

/// A body with so many local variables.
fn locals(count: u32) -> Vec<u8> {
    [&[1], &*leb(count), &[0x7f, 0x0b]].concat()
}

/// A body of so many loops, one after another, with branches out of each.
fn busy(loops: usize) -> Vec<u8> {
    let one = [0x02, 0x40, 0x03, 0x40, 0x41, 0, 0x0d, 1, 0x41, 1, 0x0d, 0, 0x0b, 0x0b];
    [vec![0], one.repeat(loops), vec![0x0b]].concat()
}

/// An unsigned number as WebAssembly writes it.
fn leb(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
