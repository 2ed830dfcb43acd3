//! Just enough of Rust's grammar to measure functions and to tell code from comments, strings and tests.

use std::ops::Range;

/// A source file beside a copy of equal length in which comments and the insides of literals are blank.
pub struct Source {
    pub text: String,
    pub code: String,
}

pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

impl Source {
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), code: blank_literals(text) }
    }

    /// The code of the product: items marked `#[cfg(test)]` are blank as well.
    pub fn product_code(&self) -> String {
        let mut code = self.code.clone().into_bytes();
        for item in test_items(&self.code) {
            blank(&mut code[item]);
        }
        String::from_utf8(code).expect("only whole characters were blanked")
    }

    /// Names of modules in files of their own that are compiled for tests only.
    pub fn test_modules(&self) -> Vec<String> {
        let items = test_items(&self.code).into_iter().map(|item| &self.code[item]);
        let declared = items.filter_map(|item| Some(item.strip_suffix(';')?.rsplit_once("mod ")?.1.trim().to_owned()));
        declared.collect()
    }

    pub fn functions(&self) -> Vec<Function> {
        let starts = words(&self.code, "fn").filter_map(|at| {
            let name: String = self.code[at + 2..].trim_start().chars().take_while(|c| is_name(*c)).collect();
            // A pointer type such as `fn(u8)` has no name, and a declaration without body no length.
            let item = at..item_end(&self.code, at)?;
            let has_body = self.code[item.clone()].ends_with('}');
            (!name.is_empty() && has_body).then(|| Function {
                name,
                line: line_of(&self.code, at),
                lines: self.code[item].lines().count(),
            })
        });
        starts.collect()
    }
}

pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Where this word stands by itself.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let apart = move |at: &usize| {
        let before = code[..*at].chars().next_back().is_none_or(|c| !is_name(c));
        before && code[at + word.len()..].chars().next().is_none_or(|c| !is_name(c))
    };
    code.match_indices(word).map(|(at, _)| at).filter(apart)
}

fn test_items(code: &str) -> Vec<Range<usize>> {
    let marks = code.match_indices("#[cfg(test)]").map(|(at, _)| at);
    marks.filter_map(|at| Some(at..item_end(code, at)?)).collect()
}

/// The end of the item that begins here: its closing brace, or the semicolon of one without body.
fn item_end(code: &str, start: usize) -> Option<usize> {
    let (mut nested, mut braces) = (0_i32, 0_i32);
    for (offset, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested -= 1,
            b'{' => braces += 1,
            b'}' => {
                braces -= 1;
                if braces == 0 && nested == 0 {
                    return Some(offset + 1);
                }
            }
            b';' if braces == 0 && nested == 0 => return Some(offset + 1),
            _ => {}
        }
        if braces < 0 || nested < 0 {
            return None;
        }
    }
    None
}

fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

fn blank_literals(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at < text.len() {
        let length = literal_bytes(text, at);
        if length > 0 {
            blank(&mut bytes[at..at + length]);
        }
        at += length.max(1);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    String::from_utf8(bytes).expect("only whole characters were blanked")
}

/// Bytes of the comment or literal that begins here; zero where code stands.
fn literal_bytes(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let continues_name = text[..at].chars().next_back().is_some_and(is_name);
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment_bytes(rest)
    } else if rest.starts_with('"') {
        quoted_bytes(rest, 1, '"')
    } else if rest.starts_with("b\"") && !continues_name {
        quoted_bytes(rest, 2, '"')
    } else if !continues_name && (rest.starts_with('r') || rest.starts_with("br")) {
        raw_string_bytes(rest)
    } else if rest.starts_with('\'') {
        char_bytes(rest)
    } else {
        0
    }
}

fn block_comment_bytes(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let (open, close) = (rest[at..].find("/*"), rest[at..].find("*/"));
        match (open, close) {
            (Some(open), Some(close)) if open < close => (depth, at) = (depth + 1, at + open + 2),
            (_, Some(close)) => (depth, at) = (depth - 1, at + close + 2),
            (_, None) => return rest.len(),
        }
        if depth == 0 {
            return at;
        }
    }
}

fn quoted_bytes(rest: &str, opening: usize, quote: char) -> usize {
    let mut escaped = false;
    for (offset, c) in rest.char_indices().skip(opening) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return offset + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_string_bytes(rest: &str) -> usize {
    let opening = rest.find('r').map_or(0, |r| r + 1);
    let hashes = rest[opening..].bytes().take_while(|byte| *byte == b'#').count();
    let inside = opening + hashes + 1;
    if !rest[opening + hashes..].starts_with('"') {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    rest[inside..].find(&closing).map_or(rest.len(), |end| inside + end + closing.len())
}

/// A quote begins a character only if one is closed again: otherwise it is a lifetime.
fn char_bytes(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => quoted_bytes(rest, 1, '\''),
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 0,
    }
}

mod tests {
    use super::Source;

    const SAMPLE: &str = r##"
//! fn in_a_comment() { "
pub fn whole<'a>(text: &'a str) -> [u8; 2] {
    let quote = ('"', '\'', b'{', "}} \" fn no() {", r#"fn " no() {"#);
    [0; 2]
}
trait Port { fn declared(&self, with: fn(u8) -> u8); }
#[cfg(test)]
mod tests;
#[cfg(test)]
mod inner {
    fn only_a_test() { None::<u8>.unwrap(); }
}
fn last() {}
"##;

    #[test]
    fn functions_are_found_and_measured_past_literals_and_comments() {
        let found: Vec<_> = Source::new(SAMPLE).functions().into_iter().map(|f| (f.name, f.line, f.lines)).collect();
        let expected = [("whole", 3, 4), ("only_a_test", 12, 1), ("last", 14, 1)];
        assert_eq!(found, expected.map(|(name, line, lines)| (name.to_owned(), line, lines)));
    }

    #[test]
    fn code_of_tests_is_no_code_of_the_product() {
        let source = Source::new(SAMPLE);
        assert!(source.code.contains("unwrap") && !source.product_code().contains("unwrap"));
        assert!(source.product_code().contains("fn last"));
        assert_eq!(source.test_modules(), ["tests"]);
        assert_eq!(source.code.len(), SAMPLE.len());
    }
}
