//! The links to other nodes, and what waits for one.

use super::command::Side;
use super::frame::{Broken, Frames};
use super::outbox::Outbox;
use super::parcel::{Parcel, is_answer, is_internal};
use super::post::Post;
use super::requests::{Request, Requests};
use crate::block::Block;
use core::ffi::c_int;
use skynet_abi::handle::{HANDLE_MASK, HANDLE_REMOTE_SHIFT};
use skynet_abi::harbor::REMOTE_MAX;
use skynet_abi::{PTYPE_ERROR, PTYPE_RESPONSE};
use std::collections::HashMap;
use std::mem;

/// What is to be sent, with the handles it is for.
type Queue = Vec<(u32, Parcel)>;

/// What is known of another node.
enum Link {
    /// It may come.
    Unknown(Queue),
    /// We have told it our number, and wait for its own.
    Handshake(c_int, Queue),
    Open(c_int, Frames),
    /// It was there, or will not come. A number is not used twice.
    Down,
}

/// Whose turn it is before what was put off is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Those who may be about to answer.
    Theirs,
    /// Theirs, until the harbor's message to itself arrives.
    Called,
    /// Nobody's: they have had theirs.
    Over,
}

pub struct Network {
    pub post: Post,
    links: Vec<Link>,
    sockets: HashMap<c_int, u8>,
    /// Sockets that are being closed, whose end is no news.
    closing: Vec<c_int>,
    requests: Requests,
    outbox: Outbox,
    /// Messages of the last read whose receivers may be about to answer.
    expected: usize,
    turn: Turn,
}

impl Network {
    /// A node with the number 0 has no others.
    pub fn new(post: Post) -> Self {
        let link = || match post.id {
            0 => Link::Down,
            _ => Link::Unknown(Queue::new()),
        };
        Self {
            post,
            links: (0..REMOTE_MAX).map(|_| link()).collect(),
            sockets: HashMap::new(),
            closing: Vec::new(),
            requests: Requests::new(),
            outbox: Outbox::default(),
            expected: 0,
            turn: Turn::Theirs,
        }
    }

    /// Sends to a handle, now or when its node is linked.
    pub fn send(&mut self, destination: u32, parcel: Parcel) {
        let post = self.post;
        if post.is_own(destination) || destination & !HANDLE_MASK == 0 {
            return post.deliver(destination, parcel);
        }
        match &mut self.links[(destination >> HANDLE_REMOTE_SHIFT) as usize] {
            Link::Unknown(queue) | Link::Handshake(_, queue) => queue.push((destination, parcel)),
            Link::Open(socket, _) => {
                let socket = *socket;
                self.send_on(socket, destination, parcel);
            }
            Link::Down => post.refuse(destination, &parcel),
        }
    }

    fn send_on(&mut self, socket: c_int, destination: u32, parcel: Parcel) {
        let post = self.post;
        let source = parcel.source;
        let request = (parcel.is_request() && post.is_own(source)).then_some(Request {
            source,
            session: parcel.session,
            destination,
        });
        match post.send(&mut self.outbox, socket, destination, parcel) {
            Ok(()) => {
                if let Some(request) = request {
                    self.requests.sent(request, Post::is_alive);
                }
            }
            Err(parcel) => self.too_large(socket, destination, parcel),
        }
    }

    /// Somebody waits for what cannot be sent: the sender for its answer, or the
    /// other side for this one.
    fn too_large(&mut self, socket: c_int, destination: u32, parcel: Parcel) {
        let post = self.post;
        let source = parcel.source;
        post.node.log(format_args!(
            "remote message from :{source:08x} to :{destination:08x} is too large."
        ));
        if parcel.wants_error() {
            post.node.send_error(destination, source, parcel.session);
        } else if parcel.kind == PTYPE_RESPONSE {
            let error = Parcel {
                kind: PTYPE_ERROR,
                payload: Block::empty(),
                ..parcel
            };
            // It is small enough.
            let _ = post.send(&mut self.outbox, socket, destination, error);
        }
    }

    /// A socket to another node.
    pub fn connect(&mut self, side: Side, socket: c_int, harbor: u8) {
        let post = self.post;
        let link = &mut self.links[usize::from(harbor)];
        let Link::Unknown(queue) = link else {
            post.node.log(format_args!("Harbor {harbor} alreay exist"));
            return self.close(socket);
        };
        let queue = mem::take(queue);
        self.sockets.insert(socket, harbor);
        post.start(socket);
        post.write(socket, &[post.id as u8]);
        match side {
            Side::Connects => *link = Link::Handshake(socket, queue),
            Side::Accepts => {
                *link = Link::Open(socket, Frames::default());
                self.flush(socket, queue);
            }
        }
    }

    fn flush(&mut self, socket: c_int, queue: Queue) {
        for (destination, parcel) in queue {
            self.send_on(socket, destination, parcel);
        }
    }

    fn close(&mut self, socket: c_int) {
        let post = self.post;
        self.outbox
            .flush_one(socket, |socket, bytes| post.write(socket, bytes));
        self.closing.push(socket);
        self.post.close(socket);
    }

    /// Bytes from another node.
    pub fn on_data(&mut self, socket: c_int, bytes: &[u8]) {
        let post = self.post;
        let Some(&harbor) = self.sockets.get(&socket) else {
            if !self.closing.contains(&socket) {
                post.node
                    .log(format_args!("Invalid socket fd ({socket}) data"));
            }
            return;
        };
        let mut bytes = bytes;
        let link = &mut self.links[usize::from(harbor)];
        if let Link::Handshake(_, queue) = link {
            let Some((&number, rest)) = bytes.split_first() else {
                return;
            };
            if number != harbor {
                post.node.log(format_args!(
                    "Invalid shakehand id ({harbor}) from fd = {socket} , harbor = {number}"
                ));
                return self.lose(harbor);
            }
            bytes = rest;
            let queue = mem::take(queue);
            *link = Link::Open(socket, Frames::default());
            self.flush(socket, queue);
        }
        let Link::Open(_, frames) = &mut self.links[usize::from(harbor)] else {
            return;
        };
        let requests = &mut self.requests;
        let mut internal = None;
        let mut count = 0;
        let outcome = frames.read(bytes, |cookie, payload| {
            let kind = cookie.destination >> HANDLE_REMOTE_SHIFT;
            let destination = cookie.destination & HANDLE_MASK | post.id << HANDLE_REMOTE_SHIFT;
            let parcel = Parcel {
                source: cookie.source,
                kind: kind.cast_signed(),
                session: cookie.session.cast_signed(),
                payload,
            };
            if is_internal(parcel.kind) {
                internal = Some(parcel.kind);
                return false;
            }
            if is_answer(parcel.kind) {
                requests.answered(destination, parcel.session);
            }
            count += 1;
            post.deliver(destination, parcel);
            true
        });
        self.expected = count;
        match (outcome, internal) {
            (Ok(()), None) => return,
            (_, Some(kind)) => post.node.log(format_args!(
                "Message of type {kind}, which stays within a node, from harbor {harbor}"
            )),
            (Err(Broken::TooLong), _) => post
                .node
                .log(format_args!("Message is too long from harbor {harbor}")),
            (Err(Broken::TooShort), _) => post
                .node
                .log(format_args!("Message is too short from harbor {harbor}")),
            (Err(Broken::OutOfMemory), _) => post
                .node
                .log(format_args!("No memory for a message from harbor {harbor}")),
        }
        self.lose(harbor);
    }

    /// A socket has closed, or has failed.
    pub fn on_closed(&mut self, socket: c_int) {
        if let Some(&harbor) = self.sockets.get(&socket) {
            self.lose(harbor);
        } else if let Some(at) = self.closing.iter().position(|&closing| closing == socket) {
            self.closing.swap_remove(at);
        } else {
            self.post
                .node
                .log(format_args!("Unknown fd ({socket}) closed"));
        }
    }

    /// Much waits to be sent: so many KiB.
    pub fn on_warning(&self, socket: c_int, size: c_int) {
        if let Some(harbor) = self.sockets.get(&socket) {
            self.post.node.log(format_args!(
                "message havn't send to Harbor ({harbor}) reach {size} K"
            ));
        }
    }

    /// The link of a node has ended.
    fn lose(&mut self, harbor: u8) {
        let link = &mut self.links[usize::from(harbor)];
        let socket = match link {
            Link::Handshake(socket, _) | Link::Open(socket, _) => *socket,
            Link::Unknown(_) | Link::Down => return,
        };
        self.sockets.remove(&socket);
        self.close(socket);
        self.give_up(harbor);
        self.post.report_down(harbor);
    }

    /// The slave says that a node will not come. One that is linked is there
    /// until its link ends.
    pub fn on_gone(&mut self, harbor: u8) {
        if let Link::Unknown(_) = self.links[usize::from(harbor)] {
            self.give_up(harbor);
        }
    }

    /// Answers what waits for a node with errors: what has not been sent, and
    /// requests that were.
    fn give_up(&mut self, harbor: u8) {
        let post = self.post;
        let link = mem::replace(&mut self.links[usize::from(harbor)], Link::Down);
        if let Link::Unknown(queue) | Link::Handshake(_, queue) = link {
            for (destination, parcel) in &queue {
                post.refuse(*destination, parcel);
            }
        }
        let is_for = |handle: u32| handle >> HANDLE_REMOTE_SHIFT == u32::from(harbor);
        let open = self.requests.take(is_for);
        if !open.is_empty() {
            post.node.log(format_args!(
                "Harbor {harbor} is down, {} requests to it fail",
                open.len()
            ));
        }
        for request in open {
            post.node
                .send_error(request.destination, request.source, request.session);
        }
    }

    /// Whether a node will not take messages any more.
    pub fn is_down(&self, handle: u32) -> bool {
        matches!(
            self.links[(handle >> HANDLE_REMOTE_SHIFT) as usize],
            Link::Down
        )
    }

    /// Sends what was put off, unless more messages wait, with which it can go; or
    /// unless several messages have just come in at once: then their receivers have
    /// their turn first, as answers to them are likely.
    pub fn after_message(&mut self) {
        let (turn, post) = (self.turn, self.post);
        let mut idle = false;
        let due = self.outbox.is_due(|| {
            idle = turn != Turn::Called && post.is_idle();
            idle
        });
        if !due {
            return;
        }
        if idle && turn == Turn::Theirs && mem::take(&mut self.expected) > 1 {
            self.turn = Turn::Called;
            post.call_again();
        } else {
            if idle {
                self.turn = Turn::Theirs;
            }
            self.send_all();
        }
    }

    /// The harbor's message to itself: everybody else has had a turn.
    pub fn on_called_again(&mut self) {
        self.turn = Turn::Over;
    }

    fn send_all(&mut self) {
        let post = self.post;
        self.outbox.flush(|socket, bytes| post.write(socket, bytes));
    }

    /// Closes all links. Sends no message.
    pub fn end(&mut self) {
        self.send_all();
        for &socket in self.sockets.keys() {
            self.post.close(socket);
        }
    }
}
