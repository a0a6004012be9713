//! Short frames for other nodes that go out together: a call of the system for each
//! would cost more than everything else that is done for it.
//!
//! Frames stay here only while more messages wait for the harbor, which is called
//! again for them, so that none depends on what comes later; and not for long, if
//! there are always more.
#![forbid(unsafe_code)]

use core::ffi::c_int;

/// What goes out at once. Bytes.
const FULL: usize = 16 * 1024;

/// As many messages may be handled while something is put off: a harbor that is
/// never idle has others for those who are sent little.
const PATIENCE: u32 = 256;

/// After a burst, room is given back beyond this. Bytes.
const KEPT: usize = 2 * FULL;

/// The frames for one socket.
struct Pending {
    socket: c_int,
    bytes: Vec<u8>,
}

#[derive(Default)]
pub struct Outbox {
    /// Sockets with something to send are at the front; those behind keep their room.
    sockets: Vec<Pending>,
    waiting: usize,
    /// How many messages have been handled while something was put off.
    handled: u32,
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// A message has been handled. Says whether what was put off is to go out.
    pub fn is_due(&mut self, is_idle: impl FnOnce() -> bool) -> bool {
        if self.is_empty() {
            self.handled = 0;
            return false;
        }
        self.handled += 1;
        self.handled >= PATIENCE || is_idle()
    }

    /// Adds a frame that comes in parts. What is full goes to `write`.
    pub fn add(&mut self, socket: c_int, frame: &[&[u8]], write: impl FnOnce(c_int, &[u8])) {
        let at = self.place(socket);
        let pending = &mut self.sockets[at];
        for part in frame {
            pending.bytes.extend_from_slice(part);
        }
        if pending.bytes.len() >= FULL {
            self.send(at, write);
        }
    }

    /// Where the frames of a socket are.
    fn place(&mut self, socket: c_int) -> usize {
        let known = &self.sockets[..self.waiting];
        if let Some(at) = known.iter().position(|pending| pending.socket == socket) {
            return at;
        }
        let at = self.waiting;
        match self.sockets.get_mut(at) {
            Some(free) => free.socket = socket,
            None => self.sockets.push(Pending {
                socket,
                bytes: Vec::new(),
            }),
        }
        self.waiting += 1;
        at
    }

    fn send(&mut self, at: usize, write: impl FnOnce(c_int, &[u8])) {
        let pending = &mut self.sockets[at];
        write(pending.socket, &pending.bytes);
        pending.bytes.clear();
        pending.bytes.shrink_to(KEPT);
        self.waiting -= 1;
        self.sockets.swap(at, self.waiting);
    }

    /// Sends what is for a socket.
    pub fn flush_one(&mut self, socket: c_int, write: impl FnOnce(c_int, &[u8])) {
        let mut known = self.sockets[..self.waiting].iter();
        if let Some(at) = known.position(|pending| pending.socket == socket) {
            self.send(at, write);
        }
    }

    /// Sends everything.
    pub fn flush(&mut self, write: impl Fn(c_int, &[u8])) {
        self.handled = 0;
        while let Some(last) = self.waiting.checked_sub(1) {
            self.send(last, &write);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// What was written, in order.
    #[derive(Default)]
    struct Written(RefCell<Vec<(c_int, Vec<u8>)>>);

    impl Written {
        fn write(&self, socket: c_int, bytes: &[u8]) {
            self.0.borrow_mut().push((socket, bytes.to_vec()));
        }

        fn take(&self) -> Vec<(c_int, Vec<u8>)> {
            self.0.take()
        }
    }

    #[test]
    fn frames_go_out_together_and_in_order() {
        let (mut outbox, written) = (Outbox::default(), Written::default());
        let write = |socket, bytes: &[u8]| written.write(socket, bytes);
        outbox.add(3, &[b"one", b"two"], write);
        outbox.add(4, &[b"x"], write);
        outbox.add(3, &[b"three"], write);
        assert!(written.take().is_empty() && !outbox.is_empty());
        outbox.flush(write);
        let mut all = written.take();
        all.sort();
        assert_eq!(
            all,
            [(3, b"onetwothree".to_vec()), (4, b"x".to_vec())],
            "one write for each socket"
        );
        assert!(outbox.is_empty());
        outbox.flush(write);
        assert!(written.take().is_empty(), "nothing is sent twice");
    }

    #[test]
    fn one_socket_is_flushed_alone() {
        let (mut outbox, written) = (Outbox::default(), Written::default());
        let write = |socket, bytes: &[u8]| written.write(socket, bytes);
        for socket in [3, 4, 5] {
            outbox.add(socket, &[&[socket as u8]], write);
        }
        outbox.flush_one(3, write);
        outbox.flush_one(9, write);
        assert_eq!(written.take(), [(3, vec![3])]);
        outbox.add(3, &[b"!"], write);
        outbox.flush(write);
        let mut all = written.take();
        all.sort();
        assert_eq!(all, [(3, b"!".to_vec()), (4, vec![4]), (5, vec![5])]);
    }

    #[test]
    fn does_not_wait_for_ever() {
        let (mut outbox, written) = (Outbox::default(), Written::default());
        let write = |socket, bytes: &[u8]| written.write(socket, bytes);
        assert!(!outbox.is_due(|| true), "there is nothing");
        for _ in 0..2 {
            outbox.add(3, &[b"x"], write);
            let due = (1..1000).find(|_| outbox.is_due(|| false));
            assert_eq!(due, Some(PATIENCE), "the harbor is never idle");
            outbox.flush(write);
            assert!(!outbox.is_due(|| true));
        }
        outbox.add(3, &[b"x"], write);
        assert!(outbox.is_due(|| true));
    }

    #[test]
    fn what_is_full_does_not_wait() {
        let (mut outbox, written) = (Outbox::default(), Written::default());
        let write = |socket, bytes: &[u8]| written.write(socket, bytes);
        outbox.add(3, &[&[0; FULL - 1]], write);
        assert!(written.take().is_empty());
        outbox.add(3, &[&[0; 1]], write);
        assert_eq!(written.take(), [(3, vec![0; FULL])]);
        assert!(outbox.is_empty());
    }
}
