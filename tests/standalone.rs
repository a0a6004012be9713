//! The executable by itself: its config, what it carries, and the C services
//! that are built in, each seen through small Lua programs.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// No node here takes longer than this.
const DEADLINE: Duration = Duration::from_secs(30);

/// A directory of its own, with a config and programs, removed at the end.
struct Playground(PathBuf);

/// How a node ended, and all it wrote.
struct Outcome {
    status: ExitStatus,
    output: String,
}

impl Playground {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("skynet-standalone-{}-{number}", std::process::id());
        let playground = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&playground.0).unwrap();
        playground
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A config that starts service `main`, and `more` settings.
    fn config(self, more: &str) -> Self {
        let text = format!("thread = 2\nharbor = 0\nstart = \"main\"\n{more}");
        self.file("config", &text)
    }

    /// The body of service `main`'s start function. The node ends after it. Its
    /// `print` writes a line in one piece, since the logger writes there too.
    fn main(self, body: &str) -> Self {
        let text = format!(
            "local skynet = require 'skynet'\n\
             require 'skynet.manager'\n\
             local function print(...)\n\
             local words = table.pack(...)\n\
             for i = 1, words.n do words[i] = tostring(words[i]) end\n\
             io.write(table.concat(words, '\\t') .. '\\n')\n\
             end\n\
             skynet.start(function()\n\
             local ok, err = xpcall(function()\n{body}\nend, debug.traceback)\n\
             if not ok then skynet.error('FAILED', err) end\n\
             skynet.abort()\n\
             end)\n"
        );
        self.file("service/main.lua", &text)
    }

    /// Runs the node in the directory, to its end.
    fn run(&self) -> Outcome {
        wait(self.spawn())
    }

    fn spawn(&self) -> Child {
        Command::new(env!("CARGO_BIN_EXE_skynet"))
            .arg("config")
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Outcome {
    /// All of these texts are in the output.
    #[track_caller]
    fn shows(&self, texts: &[&str]) {
        for text in texts {
            assert!(
                self.output.contains(text),
                "no {text:?} in:\n{}",
                self.output
            );
        }
    }
}

/// Waits for the end, and kills what does not come to one.
fn wait(mut child: Child) -> Outcome {
    fn drain(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }
    let readers = [
        drain(child.stdout.take().unwrap()),
        drain(child.stderr.take().unwrap()),
    ];
    let pid = child.id().try_into().unwrap();
    let (ended, end) = mpsc::channel();
    let waiter = thread::spawn(move || {
        let status = child.wait().unwrap();
        let _ = ended.send(());
        status
    });
    let in_time = end.recv_timeout(DEADLINE).is_ok();
    if !in_time {
        // SAFETY: the child is not waited for yet, so the id is still its own.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
    let status = waiter.join().unwrap();
    let output = readers.map(|reader| reader.join().unwrap()).concat();
    assert!(in_time, "the node did not end:\n{output}");
    Outcome { status, output }
}

#[test]
fn a_node_needs_no_files_but_its_own() {
    let outcome = Playground::new()
        .config("")
        .main(
            "print('up', SERVICE_NAME, SERVICE_PATH, package.path)\n\
             print(debug.getinfo(skynet.send, 'S').source)",
        )
        .run();
    outcome.shows(&[
        "[:00000002] LAUNCH snlua bootstrap",
        "up\tmain\t./service/\t./lualib/?.lua;./lualib/?/init.lua;[skynet]/lualib/?.lua;",
        "@[skynet]/lualib/skynet.lua",
    ]);
    assert!(outcome.status.success());
}

#[test]
fn files_come_before_what_is_embedded() {
    let outcome = Playground::new()
        .config("")
        .file("lualib/skynet/queue.lua", "return 'a file'")
        .file(
            "service/service_mgr.lua",
            "local skynet = require 'skynet'\n\
             skynet.start(function() print('own manager') end)",
        )
        .main(
            "print('queue:', require 'skynet.queue')\n\
             print(package.searchpath('skynet.queue', package.path))\n\
             print(package.searchpath('skynet.harbor', package.path))\n\
             print(loadfile('[skynet]/lualib/nothing.lua'))",
        )
        .run();
    outcome.shows(&[
        "queue:\ta file",
        "./lualib/skynet/queue.lua\n",
        "[skynet]/lualib/skynet/harbor.lua\n",
        "own manager",
        "nil\tcannot open [skynet]/lualib/nothing.lua: no such embedded file",
    ]);
}

#[test]
fn builtin_modules_can_be_turned_off() {
    let body = "print(pcall(require, 'skynet.nosuch'))";
    let outcome = Playground::new().config("").main(body).run();
    outcome.shows(&[
        "no built-in module 'skynet.nosuch'",
        "./luaclib/skynet/nosuch.so",
    ]);

    let outcome = Playground::new().config("builtin = 'off'").main(body).run();
    assert!(!outcome.status.success());
    outcome.shows(&["logger"]);
}

#[test]
fn wrong_configs_are_refused() {
    for (config, text) in [
        (
            "x = $SKYNET_NO_SUCH_VARIABLE",
            "os.getenv() failed: SKYNET_NO_SUCH_VARIABLE",
        ),
        ("t = {}", "Invalid config table key = t"),
        ("thread = 0", "Invalid thread 0"),
        ("harbor = 'x'", "Invalid harbor x"),
        ("builtin = 'never'", "Invalid builtin never"),
        ("logger = 'no/such/directory/log'", "no/such/directory/log"),
        ("bootstrap = 'nosuchmodule'", "nosuchmodule"),
    ] {
        let outcome = Playground::new().file("config", config).run();
        outcome.shows(&[text]);
        assert!(!outcome.status.success(), "{config}");
    }
}

#[test]
fn the_silence_of_other_nodes_is_limited_by_the_config() {
    for (setting, limit) in [
        ("", "limit 4"),
        ("node_silence = 30", "limit 30"),
        ("node_silence = 0", "limit nil"),
        ("node_silence = 1", "not 1"),
        ("node_silence = 'long'", "not long"),
    ] {
        Playground::new()
            .config(setting)
            .main("print('limit ' .. tostring(require('skynet.keepalive').SECONDS))")
            .run()
            .shows(&[limit]);
    }
}

#[test]
fn a_service_that_does_not_load_is_reported() {
    let outcome = Playground::new()
        .config("")
        .file("service/broken.lua", "x = = 1")
        .file("service/raises.lua", "error 'at once'")
        .main(
            "for _, name in ipairs { 'broken', 'raises', 'missing' } do\n\
             skynet.error(name, pcall(skynet.newservice, name))\n\
             end",
        )
        .run();
    outcome.shows(&[
        "broken false ",
        "raises false ",
        "missing false ",
        "lua loader error : ",
        "./service/broken.lua:1: unexpected symbol near '='",
        "./service/raises.lua:1: at once\nstack traceback:\n\t[C]: in global 'error'",
        "cannot open ./service/missing.lua",
    ]);
}

#[test]
fn a_node_whose_first_service_does_not_load_ends() {
    let outcome = Playground::new().config("lualoader = './my/own.lua'").run();
    assert_eq!(outcome.status.code(), Some(1));
    outcome.shows(&[
        "Can't load ./my/own.lua : cannot open ./my/own.lua",
        "Bootstrap error : snlua bootstrap",
        "the service ended at once, and left no other",
    ]);
}

#[test]
fn memory_is_limited_and_reported() {
    let outcome = Playground::new()
        .config("")
        .file(
            "service/limited.lua",
            "local skynet = require 'skynet'\n\
             skynet.memlimit(2 * 1024 * 1024)\n\
             skynet.start(function()\n\
             print('limited', pcall(string.rep, 'x', 4 * 1024 * 1024))\n\
             print('still', #string.rep('x', 100000))\n\
             end)",
        )
        .main(
            "skynet.newservice 'limited'\n\
             local text = string.rep('x', 40 * 1024 * 1024)\n\
             local more = string.rep('y', 40 * 1024 * 1024)",
        )
        .run();
    outcome.shows(&[
        "Set memory limit to 2.00 M",
        "limited\tfalse\tnot enough memory",
        "still\t100000",
        "Memory warning 40.",
        "Memory warning 80.",
    ]);
}

#[test]
fn signals_interrupt_and_report() {
    let outcome = Playground::new()
        .config("thread = 4")
        .file(
            "service/loop.lua",
            "local skynet = require 'skynet'\n\
             skynet.start(function()\n\
             skynet.dispatch('lua', function(_, source, inside)\n\
             skynet.send(source, 'lua')\n\
             local ok, err\n\
             if inside then\n\
             ok, err = coroutine.resume(coroutine.create(function() while true do end end))\n\
             else\n\
             ok, err = pcall(function() while true do end end)\n\
             end\n\
             skynet.ret(skynet.pack(ok, err))\n\
             end)\n\
             end)",
        )
        .main(
            "local core = require 'skynet.core'\n\
             local address = skynet.newservice 'loop'\n\
             local name = skynet.address(address)\n\
             skynet.dispatch('lua', function() core.command('SIGNAL', name .. ' 0') end)\n\
             print('main', skynet.call(address, 'lua', false))\n\
             print('coroutine', skynet.call(address, 'lua', true))\n\
             core.command('SIGNAL', name .. ' 1')\n\
             core.command('SIGNAL', name .. ' 5')",
        )
        .run();
    outcome.shows(&[
        "main\tfalse\tsignal 0",
        "coroutine\tfalse\tsignal 0",
        "recv a signal 1",
        "Current Memory ",
        "recv a signal 5",
    ]);
}

#[test]
fn profile_measures_running_not_waiting() {
    let outcome = Playground::new()
        .config("")
        .main(
            "local profile = require 'skynet.profile'\n\
             profile.start()\n\
             print('twice', pcall(profile.start))\n\
             skynet.sleep(50)\n\
             local waited = profile.stop()\n\
             print('waited', waited < 0.2)\n\
             print('stopped', pcall(profile.stop))\n\
             local co = coroutine.create(function(...)\n\
             profile.start()\n\
             local sum = 0\n\
             for i = 1, 2000000 do sum = sum + i end\n\
             coroutine.yield(...)\n\
             return profile.stop()\n\
             end)\n\
             print('yielded', coroutine.resume(co, 1, nil, 3))\n\
             local _, busy = coroutine.resume(co)\n\
             print('busy', busy > 0, coroutine.status(co))\n\
             local wrapped = coroutine.wrap(function()\n\
             local _ <close> = setmetatable({}, { __close = function() print 'closed' end })\n\
             error 'oops'\n\
             end)\n\
             print('wrap', pcall(wrapped))\n\
             print('resume', pcall(coroutine.resume, 1))\n\
             local cache = require 'skynet.codecache'\n\
             print('mode', cache.mode(), cache.mode 'OFF', cache.mode(), pcall(cache.mode, 'x'))\n\
             print('clear', cache.clear(), cache.loadfile == loadfile)",
        )
        .run();
    outcome.shows(&[
        "start profile more than once",
        "waited\ttrue",
        "stopped\tfalse\tCall profile.start() before profile.stop()",
        "yielded\ttrue\t1\tnil\t3",
        "busy\ttrue\tdead",
        "closed\nwrap\tfalse\t./service/main.lua:",
        "resume\tfalse\tbad argument #1",
        "mode\tON\tnil\tOFF\tfalse",
        "clear\tnil\ttrue",
    ]);
}

#[test]
fn the_log_goes_to_a_file() {
    let playground = Playground::new().config("logger = 'node.log'").main(
        "skynet.error('before')\n\
             assert(os.rename('node.log', 'node.old'))\n\
             skynet.register_protocol { name = 'reopen', id = skynet.PTYPE_SYSTEM,\n\
             pack = function(...) return ... end }\n\
             skynet.send('.logger', 'reopen', '')\n\
             skynet.error('after')",
    );
    let outcome = playground.run();
    assert!(outcome.status.success(), "{}", outcome.output);
    let (old, new) = (playground.read("node.old"), playground.read("node.log"));
    assert!(old.contains("] before\n"), "{old}");
    assert!(
        new.contains("] after\n") && !new.contains("before"),
        "{new}"
    );
    // 22/11/26 11:02:50.37 [:00000008] after
    let line = old.lines().find(|line| line.ends_with("before")).unwrap();
    let pattern: String = line
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    assert!(pattern.starts_with("99/99/99 99:99:99.99 [:"), "{line}");
}

#[test]
fn names_work_and_other_harbors_do_not() {
    let outcome = Playground::new()
        .config("")
        .main(
            "local harbor = require 'skynet.harbor'\n\
             skynet.dispatch('lua', function(_, _, ...) skynet.ret(skynet.pack('got', ...)) end)\n\
             skynet.fork(function() print('early', pcall(skynet.call, 'LATER', 'lua', 1)) end)\n\
             skynet.yield()\n\
             harbor.globalname('LATER')\n\
             print('late', skynet.call('LATER', 'lua', 2))\n\
             print('query', harbor.queryname('LATER') == skynet.self())\n\
             print('other', pcall(skynet.call, 0x05000001, 'lua', 'x'))\n\
             harbor.globalname('a_name_that_is_too_long')\n\
             -- The harbor has seen the name when it has answered what came after it.\n\
             harbor.queryname('LATER')\n\
             pcall(skynet.call, 0x05000001, 'lua', 'x')",
        )
        .run();
    outcome.shows(&[
        "early\ttrue\tgot\t1",
        "late\tgot\t2",
        "query\ttrue",
        "other\tfalse",
        "Drop message to harbor 5 from ",
        "Invalid global name a_name_that_is_too_long",
    ]);
}

#[test]
fn compiled_files_are_kept_until_cleared() {
    let outcome = Playground::new()
        .config("")
        .file("data.lua", "return 'old', ...")
        .main(
            "local cache = require 'skynet.codecache'\n\
             local function write(text)\n\
             local file <close> = assert(io.open('data.lua', 'w'))\n\
             file:write(text)\n\
             end\n\
             print('first', loadfile 'data.lua' (1))\n\
             write 'return \"new\", x'\n\
             print('kept', loadfile 'data.lua' (2))\n\
             print('binary', loadfile('data.lua', 'b'))\n\
             cache.mode 'OFF'\n\
             print('off', loadfile('data.lua', 't', { x = 3 })())\n\
             cache.mode 'EXIST'\n\
             print('exist', loadfile 'data.lua' (4))\n\
             cache.mode 'ON'\n\
             cache.clear()\n\
             print('cleared', loadfile('data.lua', 'bt', { x = 5 })())\n\
             print('again', loadfile('data.lua', nil, { x = 6 })())\n\
             write 'return ='\n\
             cache.clear()\n\
             print('broken', loadfile 'data.lua')",
        )
        .run();
    outcome.shows(&[
        "first\told\t1\n",
        "kept\told\t2\n",
        "binary\tnil\t",
        "off\tnew\t3\n",
        "exist\told\t4\n",
        "cleared\tnew\t5\n",
        "again\tnew\t6\n",
        "broken\tnil\tdata.lua:1: unexpected symbol near '='",
    ]);
}
