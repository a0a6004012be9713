//! Peers that have to show signs of life.
//!
//! TCP itself notices that a peer has vanished only after many minutes, if data waits to be
//! acknowledged, and after hours if none does. Where somebody asks for it, the system asks an
//! idle peer every second whether it is there, and the polling thread looks how long nothing
//! has come, not even an acknowledgement. TCP_USER_TIMEOUT is not for this: it also ends
//! connections with peers that are there and do not read.

use super::connection::{Connection, Role};
use super::event::Id;
use super::poll::Poller;
use std::io;
use std::time::{Duration, Instant};

/// How often the polling thread looks, while there is anything to look at.
const LOOK: Duration = Duration::from_millis(500);

/// A connection ends when its peer has been silent for this long.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    duration: Duration,
    /// What was before does not count.
    since: Instant,
    /// The peer has left something unanswered, and nothing has come since. One that has no
    /// room is asked less and less often: its silence alone says nothing.
    unanswered: bool,
}

impl Limit {
    fn new(duration: Duration) -> Limit {
        Limit {
            duration,
            since: Instant::now(),
            unanswered: false,
        }
    }
}

impl Connection {
    /// Looks whether nothing has come for longer than it may.
    fn is_silent(&mut self) -> bool {
        let (Some(limit), Some(source)) = (&mut self.limit, &self.source) else {
            return false;
        };
        let watched = limit.since.elapsed();
        match self.role {
            Role::Connecting { .. } => watched >= limit.duration,
            Role::Stream => source.silence().is_some_and(|silence| {
                let goes_on = silence.lasts >= LOOK;
                limit.unanswered = silence.unanswered || limit.unanswered && goes_on;
                limit.unanswered && silence.lasts.min(watched) >= limit.duration
            }),
            _ => false,
        }
    }
}

impl Poller {
    /// Ends a connection, or an attempt to connect, when nothing comes for `duration`.
    pub(super) fn watch_silence(&mut self, id: Id, duration: Duration) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.limit = Some(Limit::new(duration));
        if let Some(source) = &connection.source {
            source.probe();
        }
        if !self.watched.contains(&id) {
            self.watched.push(id);
        }
        self.look_at.get_or_insert(Instant::now() + LOOK);
    }

    /// Ends those that were silent for too long, if it is time to look.
    pub(super) fn look_for_silence(&mut self) {
        let Some(at) = self.look_at else {
            return;
        };
        let now = Instant::now();
        if now < at {
            return;
        }
        let mut watched = std::mem::take(&mut self.watched);
        watched.retain(|id| self.connections.contains_key(id));
        for id in &watched {
            let connection = self.connections.get_mut(id);
            if connection.is_some_and(Connection::is_silent) {
                self.end_silent(*id);
            }
        }
        self.look_at = (!watched.is_empty()).then_some(now + LOOK);
        self.watched = watched;
    }

    fn end_silent(&mut self, id: Id) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let error = io::Error::from_raw_os_error(libc::ETIMEDOUT);
        if matches!(connection.role, Role::Connecting { .. }) {
            connection.connecting_failed(error);
            connection.limit = connection.limit.map(|limit| Limit::new(limit.duration));
            return self.connect(id);
        }
        // What waits to be sent would be for nobody.
        if let Some(source) = &connection.source {
            source.drop_unsent();
        }
        self.read_failed(id, &error);
        self.end_of_data(id);
    }
}
