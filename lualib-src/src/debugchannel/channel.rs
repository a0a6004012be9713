//! Channels of a process: one end creates a channel, one other end connects to
//! it, and lines go from any end to whichever reads.
//!
//! A channel lives as long as one of its ends. The list of channels only finds
//! them, so that an address which is none, or no longer one, connects to nothing.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// Bytes that wait in a channel at most.
pub const CAPACITY: usize = 1 << 20;

/// What a line takes beside its bytes, so that empty lines have an end as well.
const OVERHEAD: usize = size_of::<Vec<u8>>();

static CHANNELS: Mutex<Vec<Weak<Channel>>> = Mutex::new(Vec::new());

#[derive(Default)]
struct Lines {
    waiting: VecDeque<Vec<u8>>,
    /// What they take of the capacity.
    bytes: usize,
}

/// Lines on their way.
#[derive(Default)]
pub struct Channel {
    lines: Mutex<Lines>,
    written: Condvar,
}

/// There is no room for a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// A channel with one end, the caller's.
pub fn create() -> Arc<Channel> {
    let channel = Arc::new(Channel::default());
    let mut channels = locked(&CHANNELS);
    channels.retain(|known| known.strong_count() > 0);
    channels.push(Arc::downgrade(&channel));
    channel
}

/// Another end of the channel at an address; nothing if there is no such channel,
/// or if it has two ends already.
pub fn connect(address: *const Channel) -> Option<Arc<Channel>> {
    // The lock makes one of those who connect at once the first.
    let channels = locked(&CHANNELS);
    let known = channels
        .iter()
        .find(|known| std::ptr::eq(known.as_ptr(), address) && known.strong_count() == 1)?;
    known.upgrade()
}

impl Channel {
    /// Takes the first line. If there is none, waits for it.
    pub fn read(&self, timeout: Duration) -> Option<Vec<u8>> {
        let mut lines = locked(&self.lines);
        if lines.waiting.is_empty() && !timeout.is_zero() {
            (lines, _) = self
                .written
                .wait_timeout_while(lines, timeout, |lines| lines.waiting.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
        }
        let line = lines.waiting.pop_front()?;
        lines.bytes -= line.len() + OVERHEAD;
        Some(line)
    }

    /// Adds a copy of a line.
    ///
    /// # Errors
    /// Those that wait fill the channel.
    pub fn write(&self, line: &[u8]) -> Result<(), Full> {
        let mut lines = locked(&self.lines);
        let bytes = lines.bytes.saturating_add(line.len() + OVERHEAD);
        if bytes > CAPACITY {
            return Err(Full);
        }
        lines.bytes = bytes;
        lines.waiting.push_back(line.to_vec());
        drop(lines);
        self.written.notify_one();
        Ok(())
    }
}

/// The data is whole between any two statements that hold the lock.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
