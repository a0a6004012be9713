//! Frames from the bytes of one connection: two or four bytes, big-endian, with
//! the size of what follows.
#![forbid(unsafe_code)]

/// No frame has this many bytes of content, or more.
pub const LIMIT: usize = 0x100_0000;

/// A list of bytes larger than this gives its room back after its frame.
const KEPT: usize = 64 * 1024;

/// The bytes in front of each frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    Two,
    Four,
}

impl Header {
    const fn size(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }
}

/// Why a connection cannot be read any further.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// A header announces [`LIMIT`] bytes or more.
    TooLarge,
    OutOfMemory,
}

/// Where in a frame a connection is. No more memory is taken for a frame than
/// twice what has come of it.
#[derive(Debug, Default)]
pub struct Frames {
    header: Vec<u8>,
    content: Vec<u8>,
    /// The size of the content, once its header is known.
    size: Option<usize>,
}

impl Frames {
    /// Takes what was read, and gives each frame that it completes to `each`.
    /// Frames without content are passed over.
    ///
    /// # Errors
    /// The connection is to be closed; what it has completed before is out.
    pub fn read(
        &mut self,
        header: Header,
        bytes: &[u8],
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Broken> {
        let mut rest = bytes;
        loop {
            let size = match self.size {
                Some(size) => size,
                None => {
                    let missing = header.size() - self.header.len();
                    let (now, later) = rest.split_at(missing.min(rest.len()));
                    rest = later;
                    self.header.extend_from_slice(now);
                    if now.len() < missing {
                        return Ok(());
                    }
                    let big_endian = |size, byte: u8| size << 8 | usize::from(byte);
                    let size = self.header.drain(..).fold(0, big_endian);
                    if size >= LIMIT {
                        return Err(Broken::TooLarge);
                    }
                    if size == 0 {
                        continue;
                    }
                    self.size = Some(size);
                    size
                }
            };
            let missing = size - self.content.len();
            let (now, later) = rest.split_at(missing.min(rest.len()));
            rest = later;
            if now.len() == size {
                // In one piece: it need not be kept.
                each(now);
            } else {
                self.content
                    .try_reserve(now.len())
                    .map_err(|_| Broken::OutOfMemory)?;
                self.content.extend_from_slice(now);
                if now.len() < missing {
                    return Ok(());
                }
                each(&self.content);
                self.content.clear();
                self.content.shrink_to(KEPT);
            }
            self.size = None;
        }
    }
}
