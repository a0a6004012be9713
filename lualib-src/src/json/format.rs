//! JSON text, without Lua.
#![forbid(unsafe_code)]

use std::io::{self, Write};

use serde_json::Value;

/// How deep arrays and objects may be in one another: as deep as the parser goes.
pub const MAX_DEPTH: usize = 127;

/// What a text says.
///
/// # Errors
/// It is no JSON, not UTF-8, deeper than [`MAX_DEPTH`], or has more than one value;
/// in words, with the place.
pub fn parse(text: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(text).map_err(|error| format!("json: {error}"))
}

/// Why a value cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No memory.
    Size,
    /// A string that is not UTF-8.
    Text,
    /// A number that JSON does not have: infinite, or none at all.
    Number,
}

/// A text as it grows.
#[derive(Default)]
pub struct Output {
    bytes: Vec<u8>,
}

impl Output {
    /// What has been written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes brackets, commas and the like as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.write_all(bytes).map_err(|_| Refusal::Size)
    }

    /// Writes a string.
    pub fn string(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let text = std::str::from_utf8(bytes).map_err(|_| Refusal::Text)?;
        serde_json::to_writer(self, text).map_err(|_| Refusal::Size)
    }

    /// Writes an integer.
    pub fn integer(&mut self, number: i64) -> Result<(), Refusal> {
        serde_json::to_writer(self, &number).map_err(|_| Refusal::Size)
    }

    /// Writes a real number, so that it is one when it is read.
    pub fn real(&mut self, number: f64) -> Result<(), Refusal> {
        if !number.is_finite() {
            return Err(Refusal::Number);
        }
        serde_json::to_writer(self, &number).map_err(|_| Refusal::Size)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let reserved = self.bytes.try_reserve(bytes.len());
        reserved.map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
