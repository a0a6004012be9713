//! The texts that a gate understands: its parameters and commands. Numbers are
//! read as C reads them: what follows the digits does not matter.
#![forbid(unsafe_code)]

use super::frames::Header;

/// What a gate is launched with: `HEADER WATCHDOG ADDRESS TAG MAXIMUM`.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameters<'a> {
    pub header: Header,
    /// A service's name; nothing if there is none to report to.
    pub watchdog: Option<&'a str>,
    pub address: &'a str,
    /// The type of the messages that carry frames; 0 is for the gate to choose.
    pub tag: i32,
    /// The number of connections at most.
    pub maximum: usize,
}

/// What is wrong with parameters.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    Words,
    Maximum,
    Header,
}

impl<'a> Parameters<'a> {
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &'a str) -> Result<Self, Wrong> {
        let mut start = text.chars();
        let header = start.next().ok_or(Wrong::Words)?;
        let mut words = start.as_str().split_ascii_whitespace();
        let watchdog = words.next().ok_or(Wrong::Words)?;
        let address = words.next().ok_or(Wrong::Words)?;
        let tag = words.next().and_then(number).ok_or(Wrong::Words)?;
        let maximum = words.next().and_then(number).unwrap_or(0);
        let maximum = usize::try_from(maximum).unwrap_or(0);
        if maximum == 0 {
            return Err(Wrong::Maximum);
        }
        Ok(Self {
            header: match header {
                'S' => Header::Two,
                'L' => Header::Four,
                _ => return Err(Wrong::Header),
            },
            watchdog: (!watchdog.starts_with('!')).then_some(watchdog),
            address,
            tag,
            maximum,
        })
    }
}

/// The host, which may be empty, and the port of an address to listen on.
pub fn host_and_port(address: &str) -> Option<(&str, i32)> {
    let (host, port) = address.rsplit_once(':').unwrap_or(("", address));
    let port = number(port)?;
    (port > 0).then_some((host, port))
}

/// A text command.
#[derive(Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Closes a connection.
    Kick(i32),
    /// Gives a connection's frames to an agent, in the name of a client.
    Forward {
        id: i32,
        agent: u32,
        client: u32,
    },
    /// Gives all frames to the service of a name.
    Broker(&'a [u8]),
    /// Begins to read from a connection.
    Start(i32),
    /// Ends listening.
    Close,
    /// A command without what it needs: nothing happens.
    Incomplete,
    Unknown,
}

impl<'a> Command<'a> {
    /// A command's word may be cut short; the first that fits is meant.
    pub fn parse(text: &'a [u8]) -> Self {
        let end = text.iter().position(|byte| *byte == b' ');
        let (word, rest) = text.split_at(end.unwrap_or(text.len()));
        let rest = rest.trim_ascii_start();
        let is = |name: &str| name.as_bytes().starts_with(word);
        if is("kick") {
            Self::Kick(number_or_zero(rest))
        } else if is("forward") {
            let mut words = rest.splitn(3, |byte| *byte == b' ');
            match (words.next(), words.next(), words.next()) {
                (Some(id), Some(agent), Some(client)) => Self::Forward {
                    id: number_or_zero(id),
                    agent: handle(agent),
                    client: handle(client),
                },
                _ => Self::Incomplete,
            }
        } else if is("broker") {
            Self::Broker(rest)
        } else if is("start") {
            Self::Start(number_or_zero(rest))
        } else if is("close") {
            Self::Close
        } else {
            Self::Unknown
        }
    }
}

/// The number that a text begins with, if it does; the nearest, if it is none of
/// 32 bits.
fn number(text: &str) -> Option<i32> {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let end = digits.iter().position(|byte| !byte.is_ascii_digit());
    let digits = &digits[..end.unwrap_or(digits.len())];
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().fold(0i32, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add((digit - b'0').into())
    });
    Some(if negative { -value } else { value })
}

fn number_or_zero(text: &[u8]) -> i32 {
    let end = text.iter().position(|byte| !byte.is_ascii());
    let text = str::from_utf8(&text[..end.unwrap_or(text.len())]);
    text.ok().and_then(number).unwrap_or(0)
}

/// A handle, written as a colon and hexadecimal digits; 0 if there are none.
fn handle(text: &[u8]) -> u32 {
    let digits = text.get(1..).unwrap_or(&[]);
    let values = digits
        .iter()
        .map_while(|byte| char::from(*byte).to_digit(16));
    values.fold(0, |value, digit| value << 4 | digit)
}
