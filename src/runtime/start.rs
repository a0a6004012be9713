//! Starting a node and stopping it, in order.
//!
//! Start: daemon (it forks, so before any thread), signals, harbor, registry,
//! scheduler, modules, timer, socket server, logger, bootstrap service, threads.
//! Stop, when the last service is gone but the logger: workers join, the logger
//! writes what is left for it and goes, timer and socket threads join, the
//! harbor service's reference goes last.

use super::message::{Message, Payload};
use super::scheduler::{self, Worker};
use super::service::{Service, ServiceRef};
use super::signals::{Event, Signals};
use super::{daemon, env, harbor, module, node, registry, send, timer};
use crate::error::{Error, Result};
use crate::memory;
use crate::socket;
use skynet_abi::PTYPE_SYSTEM;
use skynet_abi::imp::{THREAD_MONITOR, THREAD_SOCKET, THREAD_TIMER, THREAD_WORKER};
use std::ffi::{CStr, CString};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Stack of every thread of the node, as large as the system's usual one: C
/// services count on it. Bytes.
const STACK: usize = 8 << 20;
/// How long a callback may take when the node stops, unless the environment's
/// `shutdown_timeout` says otherwise.
const SHUTDOWN: Duration = Duration::from_secs(10);
/// How long the logger gets for its last lines when a callback does not return.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Why a node cannot stop though no callback runs.
const STILL_HELD: &str = "a service is gone, but somebody keeps a reference of it";
/// Weights of the first workers; the rest have [`LATER_WEIGHT`].
const WEIGHTS: [i32; 32] = [
    -1, -1, -1, -1, 0, 0, 0, 0, //
    1, 1, 1, 1, 1, 1, 1, 1, //
    2, 2, 2, 2, 2, 2, 2, 2, //
    3, 3, 3, 3, 3, 3, 3, 3,
];
const LATER_WEIGHT: i32 = 0;

/// What the node is started with.
#[derive(Debug)]
pub struct Config<'a> {
    /// Workers, at least 1.
    pub threads: usize,
    /// This node's number, 0 to 255.
    pub harbor: u32,
    /// Whether the CPU time of services is measured.
    pub profile: bool,
    /// The file for the process id, if the node is to be a daemon.
    pub daemon: Option<&'a CStr>,
    /// Where C services are found.
    pub module_path: &'a CStr,
    /// The first service: a module and its argument.
    pub bootstrap: &'a CStr,
    /// The logger's argument: a file, or nothing for the standard output.
    pub logger: Option<&'a CStr>,
    /// The logger's module.
    pub log_service: &'a CStr,
}

/// Why a node ended other than by itself.
#[derive(Debug)]
pub enum Failure {
    /// Some part could not be set up.
    Setup(Error),
    /// The logger, a service of this module, did not start.
    Logger(String, Error),
    /// The bootstrap service did not start.
    Bootstrap(Error),
    /// The bootstrap service ended in its first message, and left no other.
    NothingStarted,
    /// Services whose callbacks did not return when the node stopped; none if
    /// somebody only kept a reference of one.
    Stuck(Vec<u32>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Setup(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Setup(error) => write!(f, "the node cannot start: {error}"),
            Self::Logger(name, error) => write!(f, "Can't launch {name} service: {error}"),
            Self::Bootstrap(error) => write!(f, "Bootstrap error: {error}"),
            Self::NothingStarted => {
                f.write_str("Bootstrap error: the service ended at once, and left no other")
            }
            Self::Stuck(handles) if handles.is_empty() => {
                write!(f, "the node cannot stop: {STILL_HELD}")
            }
            Self::Stuck(handles) => {
                f.write_str("the node cannot stop: no return from the callback of")?;
                handles.iter().try_for_each(|h| write!(f, " :{h:08x}"))
            }
        }
    }
}

/// Starts a node and runs it until its last service is gone.
///
/// # Errors
/// It could not start, or could not stop. What was logged until then is written.
pub fn start(config: &Config<'_>) -> Result<(), Failure> {
    let Some(pid_file) = config.daemon else {
        return run(config, None);
    };
    let starting = daemon::begin(pid_file)?;
    let ended = run(config, Some(starting));
    // If somebody else has removed or replaced it, it is not ours to remove.
    let _ = daemon::end(pid_file);
    ended
}

fn run(config: &Config<'_>, starting: Option<daemon::Starting>) -> Result<(), Failure> {
    let signals = Signals::install()?;
    node::get().manage();
    node::get().set_profile(config.profile);
    harbor::init(config.harbor)?;
    registry::init(config.harbor)?;
    scheduler::init()?;
    module::init(config.module_path)?;
    timer::init()?;
    socket::node::init()?;

    let logger = Service::launch(config.log_service, config.logger).map_err(|error| {
        let name = config.log_service.to_string_lossy();
        Failure::Logger(name.into_owned(), error)
    })?;
    registry::get()?.set_name(logger, c"logger")?;
    let node = node::get();
    match bootstrap(config.bootstrap) {
        Ok(handle) => node.set_bootstrap(handle),
        Err(error) => {
            log_bootstrap_error(config);
            stop_logger();
            return Err(Failure::Bootstrap(error));
        }
    }

    // Late enough that the errors of logger and bootstrap are seen, and before any
    // service, or a program that it starts, writes to the starter's terminal.
    if let Some(starting) = &starting {
        starting.detach()?;
    }
    let mut threads = Threads::start(config.threads, signals)?;
    if let Some(starting) = starting {
        starting.succeed();
    }
    let did_not_start = |node: &node::Node| node.has_bootstrap_ended() && is_last(node.total());
    node.wait(None, |node| {
        node.total() == 0 || node.is_stopping() || did_not_start(node)
    });
    let ended = !node.is_stopping() && did_not_start(node);
    if ended {
        log_bootstrap_error(config);
    }
    let deadline = Instant::now() + shutdown_timeout();
    if !node.wait(Some(deadline), |node| is_last(node.total())) {
        return Err(Failure::Stuck(stuck_services()));
    }
    threads.join_workers();
    stop_logger();
    threads.join();
    harbor::exit();
    discard_leftovers();
    socket::node::free();
    if ended {
        return Err(Failure::NothingStarted);
    }
    Ok(())
}

fn log_bootstrap_error(config: &Config<'_>) {
    let text = config.bootstrap.to_string_lossy();
    node::log(0, format!("Bootstrap error : {text}").as_bytes());
}

/// Whether nobody is left but the logger, if it is there.
fn is_last(total: isize) -> bool {
    // No reference: dropping the last one would destroy the logger, and that
    // tells those who wait, one of whom asks here with the lock for it.
    let logger = node::logger();
    let logs = registry::get().is_ok_and(|registry| registry.contains(logger));
    total <= isize::from(logs)
}

fn shutdown_timeout() -> Duration {
    let seconds = env::env()
        .ok()
        .and_then(|env| env.get(c"shutdown_timeout"))
        .and_then(|text| text.to_str().ok()?.trim().parse().ok());
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or(SHUTDOWN)
}

/// Launches the service that a line of the config names.
fn bootstrap(line: &CStr) -> Result<u32> {
    let text = line.to_bytes().trim_ascii_start();
    let end = text
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = rest
        .iter()
        .position(|&byte| byte != b' ')
        .map_or(&[][..], |from| &rest[from..]);
    // There is no zero in a part of a C string.
    let name = CString::new(name).unwrap_or_default();
    let rest = CString::new(rest).unwrap_or_default();
    Service::launch(&name, Some(&rest))
}

/// Writes what the logger has in its queue, in this thread, and lets it go. No
/// other thread runs services any more.
fn stop_logger() {
    let Some(logger) = registry::get().ok().and_then(|r| r.grab(node::logger())) else {
        return;
    };
    dispatch_all(&logger);
    node::retire(logger.handle());
}

/// Handles all messages of a service in this thread.
///
/// No other thread may be running the service meanwhile: this is for a node
/// without workers, before they start or after they ended.
pub fn dispatch_all(service: &ServiceRef) {
    let before = memory::set_current(memory::Current::service(
        service.handle(),
        service.account(),
    ));
    // SAFETY: no worker runs, so the right is this thread's as long as it does
    // not come to share it; it is put back as it was by being forgotten.
    let mut right =
        unsafe { super::mailbox::Runnable::from_raw(std::ptr::NonNull::from(service.mailbox())) };
    while let Some(message) = right.take() {
        service.dispatch(message);
    }
    memory::set_current(before);
}

/// Names the services that keep the node from stopping, in the log too.
fn stuck_services() -> Vec<u32> {
    let stuck: Vec<u32> = scheduler::get()
        .into_iter()
        .flat_map(|scheduler| scheduler.monitors().filter_map(|m| m.destination()))
        .collect();
    for handle in &stuck {
        let text = format!("error: no return from the callback of :{handle:08x}, giving up");
        node::log(0, text.as_bytes());
    }
    if stuck.is_empty() {
        node::log(0, format!("error: {STILL_HELD}, giving up").as_bytes());
    }
    // One of the other workers may write the lines out still.
    let until = Instant::now() + LAST_WORDS;
    if let Some(logger) = registry::get().ok().and_then(|r| r.grab(node::logger())) {
        node::get().wait(Some(until), |_| logger.queue_length() == 0);
    }
    stuck
}

/// Mailboxes that were runnable when the workers ended: their services are gone.
fn discard_leftovers() {
    while let Some(left) = scheduler::get().ok().and_then(|s| s.take_any()) {
        super::service::give_up(left);
    }
}

/// The node's threads.
struct Threads {
    workers: Vec<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
    signals: &'static Signals,
}

impl Threads {
    fn start(count: usize, signals: &'static Signals) -> Result<Self> {
        let mut threads = Self {
            workers: Vec::with_capacity(count),
            others: Vec::new(),
            signals,
        };
        threads
            .others
            .push(spawn("signals", THREAD_MONITOR, || run_signals(signals))?);
        let timer = timer::timer()?;
        threads.others.push(spawn("timer", THREAD_TIMER, move || {
            timer.run(&mut |handle, session| {
                // A service that is gone needs no answer.
                let _ = send::deliver_timeout(handle, session);
            });
        })?);
        let scheduler = scheduler::get()?;
        let workers = scheduler.start(count)?;
        threads
            .others
            .push(spawn("socket", THREAD_SOCKET, || scheduler.stand_in())?);
        threads
            .others
            .push(spawn("monitor", THREAD_MONITOR, || scheduler.watch())?);
        for worker in workers {
            let weight = WEIGHTS.get(worker.index()).copied();
            let name = format!("worker-{}", worker.index());
            threads.workers.push(spawn(&name, THREAD_WORKER, move || {
                Worker::run(worker, weight.unwrap_or(LATER_WEIGHT));
            })?);
        }
        Ok(threads)
    }

    fn join_workers(&mut self) {
        if let Ok(scheduler) = scheduler::get() {
            scheduler.quit();
        }
        for worker in self.workers.drain(..) {
            // A panic has been reported by its thread.
            let _ = worker.join();
        }
    }

    fn join(self) {
        if let Ok(timer) = timer::timer() {
            timer.stop();
        }
        self.signals.stop();
        for thread in self.others {
            // A panic has been reported by its thread.
            let _ = thread.join();
        }
    }
}

fn spawn(name: &str, kind: i32, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    Builder::new()
        .name(name.into())
        .stack_size(STACK)
        .spawn(move || {
            memory::init_thread(kind);
            run();
        })
        .map_err(|source| Error::Io {
            what: format!("the {name} thread"),
            source,
        })
}

/// Does what signals ask for, on a thread of its own.
fn run_signals(signals: &Signals) {
    loop {
        match signals.wait() {
            Ok(Event::Reopen) => {
                let told = Message::new(0, 0, PTYPE_SYSTEM as u8, Payload::empty());
                // Without a logger there is no log to reopen.
                let _ = node::push(node::logger(), told);
            }
            Ok(Event::Terminate(_)) => node::abort(),
            Ok(Event::Stopped) => return,
            Err(error) => {
                node::log(0, format!("error: signals: {error}").as_bytes());
                return;
            }
        }
    }
}
