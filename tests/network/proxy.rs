//! A stretch of a connection that the test has in its hand.

use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Forwards connections from a port of its own to another one.
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopped: bool,
    connections: Vec<TcpStream>,
}

impl Proxy {
    pub fn start(target: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Without a node behind it the client is closed.
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let shared = Arc::clone(&accepting);
                    thread::spawn(move || forward(from, to, &shared));
                }
                let mut state = accepting.state.lock().unwrap();
                state.connections.extend([client, server]);
            }
        });
        Proxy { port, shared }
    }

    /// Keeps what comes from now on.
    pub fn stop(&self) {
        self.shared.state.lock().unwrap().stopped = true;
    }

    /// Forwards what was kept, and what comes.
    pub fn go_on(&self) {
        self.shared.state.lock().unwrap().stopped = false;
        self.shared.changed.notify_all();
    }

    /// Resets all connections to both sides.
    pub fn reset(&self) {
        let mut state = self.shared.state.lock().unwrap();
        for connection in state.connections.drain(..) {
            // The last one who has the socket closes it, and says nothing more than that.
            let _ = SockRef::from(&connection).set_linger(Some(Duration::ZERO));
            let _ = connection.shutdown(Shutdown::Read);
        }
        state.stopped = false;
        self.shared.changed.notify_all();
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut buffer = [0; 65536];
    while let Ok(size @ 1..) = from.read(&mut buffer) {
        let state = shared.state.lock().unwrap();
        drop(
            shared
                .changed
                .wait_while(state, |state| state.stopped)
                .unwrap(),
        );
        if to.write_all(&buffer[..size]).is_err() {
            break;
        }
    }
    let is_reset = SockRef::from(&to)
        .linger()
        .is_ok_and(|linger| linger.is_some());
    if !is_reset {
        let _ = to.shutdown(Shutdown::Write);
    }
}
