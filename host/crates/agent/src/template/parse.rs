//! A template as a tree: text, variables, loops and conditions.

/// How deep loops and conditions may stand in one another.
const DEPTH: usize = 8;

/// Directives of the whole language that are not part of ours. Left as text they would show the model what was meant for nobody.
const UNSUPPORTED: [&str; 8] = ["set", "macro", "include", "parse", "evaluate", "define", "break", "stop"];

/// The names of a variable, in order.
pub(super) type Path = Vec<String>;

/// One piece of a template.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    /// As it stands.
    Text(String),
    /// The value of a variable, or what was written where there is none.
    Variable { path: Path, quiet: bool, written: String },
    /// Once for each item of a list.
    Each { name: String, list: Path, body: Vec<Node> },
    /// The first whose condition holds.
    If { arms: Vec<(Condition, Vec<Node>)>, otherwise: Vec<Node> },
}

/// When something is shown.
#[derive(Debug, PartialEq)]
pub(super) struct Condition {
    pub(super) not: bool,
    pub(super) path: Path,
    /// What the variable is compared with; without it, whether there is something.
    pub(super) equals: Option<Operand>,
}

/// What a variable is compared with.
#[derive(Debug, PartialEq)]
pub(super) enum Operand {
    Literal(String),
    Variable(Path),
}

/// The tree of a template; why it has none, otherwise.
pub(super) fn nodes(template: &str) -> Result<Vec<Node>, String> {
    let mut reader = Reader { rest: template };
    let (nodes, end) = reader.body(0)?;
    match end {
        Close::Text => Ok(nodes),
        Close::End => Err("`#end` closes nothing".into()),
        Close::Else | Close::ElseIf(_) => Err("`#else` stands outside of an `#if`".into()),
    }
}

/// What a body ends with.
#[derive(Debug)]
enum Close {
    Text,
    End,
    Else,
    ElseIf(Condition),
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn body(&mut self, depth: usize) -> Result<(Vec<Node>, Close), String> {
        if depth > DEPTH {
            return Err(format!("`#foreach` and `#if` may stand at most {DEPTH} deep in one another"));
        }
        let (mut nodes, mut text) = (Vec::new(), String::new());
        let flush = |nodes: &mut Vec<Node>, text: &mut String| {
            if !text.is_empty() {
                nodes.push(Node::Text(std::mem::take(text)));
            }
        };
        while let Some(at) = self.rest.find(['$', '#']) {
            text.push_str(&self.rest[..at]);
            self.rest = &self.rest[at..];
            if let Some((path, quiet, length)) = variable(self.rest) {
                flush(&mut nodes, &mut text);
                nodes.push(Node::Variable { path, quiet, written: self.rest[..length].to_owned() });
                self.rest = &self.rest[length..];
                continue;
            }
            match self.directive()? {
                None => {
                    text.push_str(&self.rest[..1]);
                    self.rest = &self.rest[1..];
                }
                Some(directive) => {
                    flush(&mut nodes, &mut text);
                    match directive {
                        Directive::Each(name, list) => nodes.push(self.each(name, list, depth)?),
                        Directive::If(condition) => nodes.push(self.condition(condition, depth)?),
                        Directive::Closes(end) => return Ok((nodes, end)),
                    }
                }
            }
        }
        text.push_str(self.rest);
        self.rest = "";
        flush(&mut nodes, &mut text);
        Ok((nodes, Close::Text))
    }

    fn each(&mut self, name: String, list: Path, depth: usize) -> Result<Node, String> {
        match self.body(depth + 1)? {
            (body, Close::End) => Ok(Node::Each { name, list, body }),
            (_, Close::Text) => Err(format!("the `#foreach` over `${}` has no `#end`", list.join("."))),
            (_, Close::Else | Close::ElseIf(_)) => Err("`#else` stands outside of an `#if`".into()),
        }
    }

    fn condition(&mut self, first: Condition, depth: usize) -> Result<Node, String> {
        let (mut arms, mut condition) = (Vec::new(), first);
        loop {
            let (body, end) = self.body(depth + 1)?;
            arms.push((condition, body));
            match end {
                Close::End => return Ok(Node::If { arms, otherwise: Vec::new() }),
                Close::ElseIf(next) => condition = next,
                Close::Else => {
                    return match self.body(depth + 1)? {
                        (otherwise, Close::End) => Ok(Node::If { arms, otherwise }),
                        (_, Close::Text | Close::Else | Close::ElseIf(_)) => Err("the `#else` has no `#end`".into()),
                    };
                }
                Close::Text => return Err("an `#if` has no `#end`".into()),
            }
        }
    }

    /// The directive that the rest begins with, taken out with the line end behind it; none where it is text.
    fn directive(&mut self) -> Result<Option<Directive>, String> {
        let Some(after) = self.rest.strip_prefix('#') else { return Ok(None) };
        let (word, after) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some(braced) => braced,
            None => after.split_at(after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len())),
        };
        let closes = match word {
            "end" => Some(Close::End),
            "else" => Some(Close::Else),
            _ => None,
        };
        if let Some(end) = closes {
            self.rest = past_line(after);
            return Ok(Some(Directive::Closes(end)));
        }
        let Some(inside) = after.trim_start_matches([' ', '\t']).strip_prefix('(') else { return Ok(None) };
        if UNSUPPORTED.contains(&word) {
            return Err(format!("`#{word}` is not supported; there are #foreach, #if, #elseif, #else and #end"));
        }
        if !["foreach", "if", "elseif"].contains(&word) {
            return Ok(None);
        }
        let end = closing(inside).ok_or_else(|| format!("the `(` of `#{word}` is never closed"))?;
        let (arguments, after) = (inside[..end].trim(), &inside[end + 1..]);
        let directive = match word {
            "foreach" => each_of(arguments)?,
            "if" => Directive::If(condition_of(arguments)?),
            _ => Directive::Closes(Close::ElseIf(condition_of(arguments)?)),
        };
        self.rest = past_line(after);
        Ok(Some(directive))
    }
}

enum Directive {
    Each(String, Path),
    If(Condition),
    Closes(Close),
}

/// A directive at the end of a line takes that line's end with it.
fn past_line(text: &str) -> &str {
    let trimmed = text.trim_start_matches([' ', '\t']);
    trimmed.strip_prefix("\r\n").or_else(|| trimmed.strip_prefix('\n')).unwrap_or(text)
}

/// Where a parenthesis closes that was opened before the text, outside quotes.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, ')') => return Some(at),
            (None, _) => {}
        }
    }
    None
}

fn each_of(arguments: &str) -> Result<Directive, String> {
    let wrong = || format!("`#foreach({arguments})` is not of the form `#foreach($item in $list)`");
    let (name, list) = arguments.split_once(" in ").ok_or_else(wrong)?;
    let (name, list) = (whole(name).ok_or_else(wrong)?, whole(list).ok_or_else(wrong)?);
    match <[String; 1]>::try_from(name) {
        Ok([name]) => Ok(Directive::Each(name, list)),
        Err(_) => Err(wrong()),
    }
}

fn condition_of(arguments: &str) -> Result<Condition, String> {
    let wrong = || format!("the condition `{arguments}` is not a variable, `!` and a variable, or a comparison by == or != with one value");
    for (sign, differs) in [("==", false), ("!=", true)] {
        if let Some((left, right)) = arguments.split_once(sign) {
            let path = whole(left).ok_or_else(wrong)?;
            let operand = operand(right.trim()).ok_or_else(wrong)?;
            return Ok(Condition { not: differs, path, equals: Some(operand) });
        }
    }
    let (not, variable) = match arguments.strip_prefix('!') {
        Some(variable) => (true, variable),
        None => (false, arguments),
    };
    Ok(Condition { not, path: whole(variable).ok_or_else(wrong)?, equals: None })
}

fn operand(text: &str) -> Option<Operand> {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return (!inner.contains(quote)).then(|| Operand::Literal(inner.to_owned()));
        }
    }
    let plain = text == "true" || text == "false" || (!text.is_empty() && text.parse::<f64>().is_ok());
    if plain { Some(Operand::Literal(text.to_owned())) } else { whole(text).map(Operand::Variable) }
}

/// A text that is one variable and nothing else.
fn whole(text: &str) -> Option<Path> {
    let text = text.trim();
    variable(text).filter(|(_, _, length)| *length == text.len()).map(|(path, _, _)| path)
}

/// The variable that a text begins with, whether it is a quiet one, and how long it is written.
fn variable(text: &str) -> Option<(Path, bool, usize)> {
    let (quiet, lead) = if text.starts_with("$!") { (true, 2) } else { (false, 1) };
    let body = text.strip_prefix('$')?.get(lead - 1..)?;
    let path = |path: &str| path.split('.').map(str::to_owned).collect::<Path>();
    if let Some(inner) = body.strip_prefix('{') {
        let end = inner.find('}')?;
        return is_path(&inner[..end]).then(|| (path(&inner[..end]), quiet, lead + end + 2));
    }
    let end = body.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))).unwrap_or(body.len());
    let name = body[..end].trim_end_matches(['.', '-']);
    is_path(name).then(|| (path(name), quiet, lead + name.len()))
}

fn is_path(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.split('.').all(|name| !name.is_empty())
}
