//! File names made from patterns such as `./lualib/?.lua;./lualib/?/init.lua`.
#![forbid(unsafe_code)]

use core::ffi::CStr;

/// No file's name is longer than this on the platforms there are.
const LONGEST: usize = 4096;

/// A file name under construction, on the stack: the functions that search are
/// left by Lua errors, and must own nothing.
pub struct FileName {
    bytes: [u8; LONGEST],
    length: usize,
}

impl FileName {
    pub const fn new() -> Self {
        Self {
            bytes: [0; LONGEST],
            length: 0,
        }
    }

    /// Puts `name` in place of each `?` of `pattern`. In the name each
    /// `separator` becomes `replacement`, unless it is empty. Nothing if the
    /// result is too long to be a file, or has a zero inside.
    pub fn fill(
        &mut self,
        pattern: &[u8],
        name: &[u8],
        separator: &[u8],
        replacement: &[u8],
    ) -> Option<&CStr> {
        self.length = 0;
        for &byte in pattern {
            if byte == b'?' {
                self.push_name(name, separator, replacement)?;
            } else {
                self.push(&[byte])?;
            }
        }
        self.push(&[0])?;
        CStr::from_bytes_with_nul(&self.bytes[..self.length]).ok()
    }

    fn push_name(&mut self, name: &[u8], separator: &[u8], replacement: &[u8]) -> Option<()> {
        if separator.is_empty() {
            return self.push(name);
        }
        let mut rest = name;
        while let Some((&first, tail)) = rest.split_first() {
            if let Some(after) = rest.strip_prefix(separator) {
                self.push(replacement)?;
                rest = after;
            } else {
                self.push(&[first])?;
                rest = tail;
            }
        }
        Some(())
    }

    fn push(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.length + bytes.len();
        self.bytes.get_mut(self.length..end)?.copy_from_slice(bytes);
        self.length = end;
        Some(())
    }
}

/// The patterns of a path. An empty one stands for no file.
pub fn patterns(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b';')
        .filter(|pattern| !pattern.is_empty())
}
