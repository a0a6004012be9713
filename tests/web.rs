//! The web server of `examples`, by plain sockets and by a browser.
#![cfg(feature = "standalone")]

#[path = "support/missing.rs"]
mod missing;
#[path = "support/node.rs"]
mod node;
#[path = "support/program.rs"]
mod program;

use node::{DEADLINE, assert_passed, process, scratch};
use program::Program;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

struct Web {
    node: Program,
    port: String,
}

impl Web {
    fn open(test: &str) -> Web {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/config.web");
        let config = format!("include '{example}'\nweb_port = 0\n");
        let scratch = scratch(&format!("web.{test}"));
        let mut node = Program::start(node::command(&config, &scratch).stdin(Stdio::null()));
        let line = node.wait_for("Web server: http://127.0.0.1:");
        let port = line.trim_end_matches('/').rsplit(':').next().unwrap();
        Web {
            port: port.to_owned(),
            node,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// What comes back until the server closes, which it does when `request` asks
    /// for it.
    fn answer(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn end(mut self) {
        let pid = self.node.child.id().try_into().unwrap();
        // SAFETY: kill has no memory effects; the child was not waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
        let ended = self.node.wait_end();
        assert!(ended.success(), "{ended}\n{}", self.node.seen().join("\n"));
    }
}

#[test]
fn pages() {
    let web = Web::open("pages");
    let page = web.answer(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.contains("<title>skynet</title>"), "{page}");
    // Requests that arrive together are answered in turn.
    let answers = web.answer(
        b"GET /hello?name=a%20b HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nxx\
          GET /nowhere HTTP/1.1\r\nConnection: Close\r\n\r\n",
    );
    let mut rest = answers.as_str();
    for part in [
        "HTTP/1.1 200 OK\r\n",
        "\r\n\r\nhello, a b\n",
        "HTTP/1.1 405 Method Not Allowed\r\n",
        "HTTP/1.1 404 Not Found\r\n",
        "there is no /nowhere\n",
    ] {
        let at = rest
            .find(part)
            .unwrap_or_else(|| panic!("no {part:?} in {answers}"));
        rest = &rest[at + part.len()..];
    }
    for (bad, code) in [
        ("nonsense\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nContent-Length: 8193\r\n\r\n", "413"),
        ("GET /socket HTTP/1.1\r\n\r\n", "426"),
    ] {
        let answer = web.answer(bad.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
    }
    web.end();
}

/// The handshake and the masked text of RFC 6455, sections 1.3 and 5.7.
#[test]
fn websocket() {
    let web = Web::open("websocket");
    let request =
        b"GET /socket HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let mut bytes = request.to_vec();
    bytes.extend([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d]);
    bytes.extend([0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    bytes.extend([0x88, 0x80, 1, 2, 3, 4]);
    for step in [1, bytes.len()] {
        let mut stream = web.connect();
        for piece in bytes.chunks(step) {
            stream.write_all(piece).unwrap();
        }
        let welcome = format!("welcome, {}", stream.local_addr().unwrap());
        let mut expected = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
            .to_vec();
        for text in [&welcome, "you said: Hello"] {
            expected.extend([0x81, text.len().try_into().unwrap()]);
            expected.extend(text.bytes());
        }
        expected.extend([0x88, 0]);
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&answer),
            String::from_utf8_lossy(&expected)
        );
    }
    // Somebody who leaves in the middle of a frame does not disturb the others.
    let mut stream = web.connect();
    stream.write_all(&bytes[..request.len() + 8]).unwrap();
    stream.shutdown(Shutdown::Both).unwrap();
    web.answer(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    web.end();
}

/// All its processes end with this value, if they have not ended yet.
struct Browser {
    program: Program,
    ended: bool,
}

impl Browser {
    /// None: there is none on this machine.
    fn open(url: &str) -> Option<Browser> {
        let name = ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find(|name| Command::new(name).arg("--version").output().is_ok())?;
        let profile = scratch("web.browser.profile");
        let _ = fs::remove_dir_all(&profile);
        let program = Program::start(
            Command::new("sh")
                .args(["-c", "exec \"$0\" \"$@\" 2>&1", name, "--headless"])
                .args(["--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"])
                .arg(format!("--user-data-dir={}", profile.display()))
                .arg(url)
                .stdin(Stdio::null())
                .process_group(0),
        );
        Some(Browser {
            program,
            ended: false,
        })
    }

    fn wait_end(&mut self) {
        self.program.wait_end();
        self.ended = true;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.ended {
            process::kill_group(self.program.child.id().try_into().unwrap());
        }
    }
}

#[test]
fn browser() {
    let web = Web::open("browser.server");
    let Some(mut browser) = Browser::open(&format!("http://127.0.0.1:{}/", web.port)) else {
        missing::program("Chromium");
        return web.end();
    };
    let line = browser.program.wait_for("DevTools listening on ws://");
    let address = line.split_once("ws://").unwrap().1;
    let port = address
        .split(['/', ':'])
        .nth(1)
        .expect("host:port/path")
        .to_owned();
    let outcome = node::run(
        "web_browser",
        "web.browser",
        &format!("devtools = {port}\n"),
    );
    assert_passed(&outcome);
    browser.wait_end();
    web.end();
}
