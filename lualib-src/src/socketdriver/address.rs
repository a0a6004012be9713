//! Addresses in one text, such as `127.0.0.1:80`, `[::1]:80` and `name:80`.

#![forbid(unsafe_code)]

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// There is no port, or a bracket is not closed.
    Address,
    /// What stands for the port is none.
    Port,
}

/// Takes a text apart: the host, without brackets, and the port.
///
/// # Errors
/// The text has no port, or one that is no number below 65536.
pub fn split(text: &[u8]) -> Result<(&[u8], u16), Malformed> {
    let (host, rest) = match find(text, b'[') {
        Some(open) => {
            let inside = &text[open + 1..];
            let close = find(inside, b']').ok_or(Malformed::Address)?;
            (Some(&inside[..close]), &inside[close + 1..])
        }
        None => (None, text),
    };
    let colon = find(rest, b':').ok_or(Malformed::Address)?;
    let port = port(&rest[colon + 1..]).ok_or(Malformed::Port)?;
    Ok((host.unwrap_or(&rest[..colon]), port))
}

fn find(text: &[u8], wanted: u8) -> Option<usize> {
    text.iter().position(|byte| *byte == wanted)
}

fn port(digits: &[u8]) -> Option<u16> {
    // FromStr would allow a sign.
    if digits.first().is_none_or(|byte| !byte.is_ascii_digit()) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
