//! The input that is being tried, in a file that outlives a crash.

use std::fs::File;
use std::io;
use std::path::Path;

/// The number of the input and its size come first.
const HEAD: usize = 16;

pub struct Current {
    map: *mut u8,
    room: usize,
}

impl Current {
    /// Makes the file, for inputs of up to `longest` bytes.
    pub fn create(path: &Path, longest: usize) -> io::Result<Self> {
        let room = HEAD + longest;
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        file.set_len(room as u64)?;
        // SAFETY: a new mapping, of a file that is large enough and that nobody
        // shortens while this process runs.
        let map = unsafe {
            use std::os::fd::AsRawFd;
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let fd = file.as_raw_fd();
            libc::mmap(std::ptr::null_mut(), room, access, libc::MAP_SHARED, fd, 0)
        };
        if map == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            map: map.cast(),
            room,
        })
    }

    pub fn write(&mut self, number: u64, input: &[u8]) {
        let size = input.len().min(self.room - HEAD);
        // SAFETY: the mapping has room for the head and as many bytes.
        unsafe {
            self.map.cast::<u64>().write(number);
            self.map.cast::<u64>().add(1).write(size as u64);
            let place = self.map.add(HEAD);
            place.copy_from_nonoverlapping(input.as_ptr(), size);
        }
    }

    /// What a process that is gone wrote last: the number and the input.
    pub fn read(path: &Path) -> Option<(u64, Vec<u8>)> {
        let bytes = std::fs::read(path).ok()?;
        let (number, rest) = bytes.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let size = u64::from_ne_bytes(*size) as usize;
        Some((u64::from_ne_bytes(*number), rest.get(..size)?.to_vec()))
    }
}
