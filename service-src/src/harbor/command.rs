//! Commands of the slave's.
#![forbid(unsafe_code)]

use super::names::GlobalName;
use core::ffi::c_int;

/// Who connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This node: the other one is still to say its number.
    Connects,
    /// The other one: the slave has read its number.
    Accepts,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Command<'a> {
    Name(GlobalName),
    NoName(GlobalName),
    Link {
        side: Side,
        socket: c_int,
        harbor: u8,
    },
    Gone(u8),
    InvalidName(&'a [u8]),
    /// The letter is known; what follows makes no sense.
    Invalid(u8, &'a [u8]),
    Unknown,
}

impl<'a> Command<'a> {
    pub fn parse(text: &'a [u8]) -> Self {
        let &[letter, ref rest @ ..] = text else {
            return Self::Unknown;
        };
        let rest = rest.get(1..).unwrap_or_default();
        match letter {
            b'N' | b'F' => match GlobalName::new(rest) {
                Some(name) if letter == b'N' => Self::Name(name),
                Some(name) => Self::NoName(name),
                None => Self::InvalidName(rest),
            },
            b'S' | b'A' => {
                let side = match letter {
                    b'S' => Side::Connects,
                    _ => Side::Accepts,
                };
                match numbers(rest) {
                    Some((socket, harbor)) => Self::Link {
                        side,
                        socket,
                        harbor,
                    },
                    None => Self::Invalid(letter, rest),
                }
            }
            b'D' => match number(rest) {
                Some(harbor) => Self::Gone(harbor),
                None => Self::Invalid(letter, rest),
            },
            _ => Self::Unknown,
        }
    }
}

fn number(text: &[u8]) -> Option<u8> {
    let number: u8 = str::from_utf8(text).ok()?.trim().parse().ok()?;
    (number != 0).then_some(number)
}

/// A socket and a harbor.
fn numbers(text: &[u8]) -> Option<(c_int, u8)> {
    let text = str::from_utf8(text).ok()?;
    let (socket, harbor) = text.trim_start().split_once(' ')?;
    let socket: c_int = socket.parse().ok()?;
    let harbor = number(harbor.as_bytes())?;
    (socket != 0).then_some((socket, harbor))
}
