//! Many connections that do everything at random, at both ends; afterwards
//! nothing is left of them.

use super::super::outgoing::Buffer;
use super::super::{Event, Id, Polled, Priority, Server, What};
use super::{DEADLINE, OWNER};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A small generator, so that a failing run can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What a socket's owner knows about it.
#[derive(Default)]
struct Known {
    closed: u32,
    errors: u32,
    asked_to_close: bool,
}

struct Soak<'a> {
    server: &'a Server,
    random: Random,
    known: HashMap<Id, Known>,
    gone: Vec<Id>,
}

impl Soak<'_> {
    fn hear(&mut self, event: &Event) {
        let id = event.id;
        match &event.what {
            What::Accept { new, .. } => {
                self.known.insert(*new, Known::default());
                self.server.start(OWNER, *new).unwrap();
            }
            What::Close => self.known.entry(id).or_default().closed += 1,
            What::Error(text) if text == "invalid socket" || text == "socket closed" => {}
            What::Error(_) => self.known.entry(id).or_default().errors += 1,
            _ => {}
        }
        if let Some(known) = self.known.get(&id) {
            assert!(known.closed <= 1, "socket {id} was closed twice");
            assert!(known.errors <= 1, "socket {id} failed twice");
        }
    }

    fn act(&mut self, id: Id) {
        let size = self.random.below(20_000) as usize;
        let buffer = Buffer::copy_of(&vec![b's'; size]);
        let server = self.server;
        match self.random.below(20) {
            0 => {
                server.shutdown(id).unwrap();
                self.finish(id);
            }
            1 => {
                server.close(id).unwrap();
                self.finish(id);
            }
            2 => server.pause(id).unwrap(),
            3 | 4 => server.start(OWNER, id).unwrap(),
            5 => server.nodelay(id).unwrap(),
            6..10 => {
                let _ = server.send(id, buffer, Priority::Low);
            }
            _ => {
                let _ = server.send(id, buffer, Priority::High);
            }
        }
    }

    fn finish(&mut self, id: Id) {
        if let Some(known) = self.known.get_mut(&id) {
            known.asked_to_close = true;
            self.gone.push(id);
        }
    }
}

#[test]
fn at_random() {
    let server = Server::new().unwrap();
    let listener = server.listen(OWNER, Some(c"127.0.0.1"), 0, 1024).unwrap();
    let port = match server.poll().unwrap() {
        Polled::Event { event, .. } => match event.what {
            What::Open { port, .. } => i32::from(port),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    server.start(OWNER, listener).unwrap();
    let mut soak = Soak {
        server: &server,
        random: Random(0x5eed),
        known: HashMap::new(),
        gone: Vec::new(),
    };
    let begin = Instant::now();
    let mut opened = 0;
    while opened < 2000 {
        assert!(begin.elapsed() < 6 * DEADLINE, "too slow");
        if soak.known.len() < 200 {
            let id = server.connect(OWNER, c"127.0.0.1", port).unwrap();
            soak.known.insert(id, Known::default());
            opened += 1;
        }
        let ids: Vec<Id> = soak.known.keys().copied().collect();
        for _ in 0..10 {
            let id = ids[soak.random.below(ids.len() as u64) as usize];
            soak.act(id);
        }
        let mut events = Vec::new();
        server
            .drive(Some(Duration::ZERO), &mut |event| events.push(event))
            .unwrap();
        for event in &events {
            soak.hear(event);
        }
        for id in std::mem::take(&mut soak.gone) {
            soak.known.remove(&id);
        }
    }
    // What is still there is closed, what is closing may need its peer to read.
    server.shutdown(listener).unwrap();
    while server.has_sockets() {
        assert!(
            begin.elapsed() < 6 * DEADLINE,
            "{} left",
            server.info().len()
        );
        for socket in server.shared.table.all() {
            server.shutdown(socket.id()).unwrap();
        }
        server.drive(Some(Duration::ZERO), &mut |_| {}).unwrap();
    }
}
