//! Sessions in docs/debug-console.md, as they are shown there: a test writes down
//! what happens, and it has to be what the document says, numbers aside.
//!
//! With `SKYNET_RECORD` in the environment the document is written anew.

use std::env;
use std::fs;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/debug-console.md");

/// The port of the document.
const PORT: &str = "8000";

pub fn document() -> String {
    fs::read_to_string(FILE).expect("reads the document")
}

pub struct Transcript {
    port: String,
    text: String,
    /// Where the last typed line begins.
    last: usize,
}

impl Transcript {
    pub fn new(port: u16) -> Self {
        Self {
            port: port.to_string(),
            text: String::new(),
            last: 0,
        }
    }

    /// A line that is typed to the console itself.
    pub fn typed_line(&mut self, line: &str) {
        self.last = self.text.len();
        self.text.push_str("> ");
        self.line(line);
    }

    /// A line that is typed at a prompt.
    pub fn typed(&mut self, line: &str) {
        self.line(line);
    }

    pub fn line(&mut self, line: &str) {
        self.text(line);
        self.text.push('\n');
    }

    pub fn text(&mut self, text: &str) {
        let text = text.replace(&self.port, PORT);
        self.text.push_str(&text);
    }

    /// What happens meanwhile.
    pub fn note(&mut self, text: &str) {
        self.text.push_str(&format!("        ({text})\n"));
    }

    /// Leaves the last typed line out, and what came after it.
    pub fn forget_last(&mut self) {
        self.text.truncate(self.last);
    }

    pub fn has_typed(&self, word: &str) -> bool {
        self.text
            .lines()
            .filter_map(|line| line.strip_prefix("> "))
            .any(|line| line.split(' ').next() == Some(word))
    }

    /// Compares with a session of the document.
    #[track_caller]
    pub fn check(&self, name: &str) {
        let mine = self.shown();
        let document = document();
        let begin = format!("<!-- session: {name} -->\n\n```\n");
        let (before, rest) = document.split_once(&begin).expect("has such a session");
        let (session, after) = rest.split_once("\n```\n").expect("the session ends");
        if env::var_os("SKYNET_RECORD").is_some() {
            let new = format!("{before}{begin}{mine}\n```\n{after}");
            fs::write(FILE, new).expect("writes the document");
            return;
        }
        let (expected, got) = (masked(session), masked(&mine));
        let different = expected
            .iter()
            .zip(&got)
            .find(|(expected, got)| expected != got);
        assert_eq!(different, None, "in:\n{mine}");
        assert_eq!(expected.len(), got.len(), "in:\n{mine}");
    }

    /// Without the blanks that end lines.
    fn shown(&self) -> String {
        let lines: Vec<_> = self.text.lines().map(str::trim_end).collect();
        lines.join("\n")
    }
}

/// Lines with numbers masked. The services of `cmem`, which has some that are no
/// services, become one.
fn masked(text: &str) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().map(masked_line).collect();
    lines.dedup_by(|a, b| a == b && a == ":*\t#");
    lines
}

fn masked_line(line: &str) -> String {
    let mut masked = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '.';
        let (part, next) = rest.split_at(rest.find(|c| !word(c)).unwrap_or(rest.len()));
        let hexadecimal = part.len() == 8 && part.bytes().all(|c| c.is_ascii_hexdigit());
        let address = masked.ends_with(':') && hexadecimal;
        if part.is_empty() {
            let blank = first == ' ' && masked.ends_with(' ');
            if !blank {
                masked.push(first);
            }
            rest = &rest[first.len_utf8()..];
            continue;
        } else if part.starts_with(|c: char| c.is_ascii_digit()) && !address {
            // A unit is kept.
            let unit = |c: char| c == 's' || c == 'K' || c == 'M';
            masked.push('#');
            masked.extend(part.chars().last().filter(|&c| unit(c)));
            // Lua writes small numbers as 9.8e-05.
            if part.ends_with('e')
                && let Some(exponent) = next.strip_prefix('-')
            {
                rest = exponent.trim_start_matches(|c: char| c.is_ascii_digit());
                continue;
            }
        } else {
            masked.push_str(part);
        }
        rest = next;
    }
    let entry = masked
        .strip_prefix(':')
        .and_then(|line| line.strip_suffix("\t#"));
    match entry {
        Some(address) if address.len() == 8 => ":*\t#".to_owned(),
        _ => masked,
    }
}
