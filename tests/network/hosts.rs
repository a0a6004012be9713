//! Hosts of a network that the test can cut: network namespaces that are connected by a
//! bridge in one more namespace. They last as long as a process is in them, and so no longer
//! than the test, however that ends.

use std::process::{Child, Command, Stdio};

/// A network namespace.
pub struct Host {
    /// Waits for the end of its standard input, which comes with the test's.
    keeper: Child,
    number: usize,
}

/// Hosts with the addresses 10.77.0.1, 10.77.0.2, ….
pub struct Hosts {
    switch: Host,
    hosts: Vec<Host>,
}

impl Host {
    /// None where this is not allowed.
    fn make(number: usize) -> Option<Host> {
        let keeper = Command::new("unshare")
            .args([
                "--net",
                "sh",
                "-c",
                "ip link set lo up && echo made && exec cat",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut host = Host { keeper, number };
        let mut line = [0; 5];
        let output = host.keeper.stdout.as_mut().expect("it is a pipe");
        std::io::Read::read_exact(output, &mut line).ok()?;
        Some(host)
    }

    /// A command on this host.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let target = self.keeper.id().to_string();
        command.args(["--net", "--target", &target, program]);
        command
    }

    /// Runs a command of iproute2 and says whether it succeeded.
    fn succeeds(&self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        self.command(words[0])
            .args(&words[1..])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    #[track_caller]
    fn run(&self, line: &str) {
        assert!(self.succeeds(line), "{line}");
    }

    /// The address, as in `address:port`.
    pub fn address(&self, port: u16) -> String {
        format!("10.77.0.{}:{port}", self.number)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

impl Hosts {
    /// Makes hosts. None, and a message, where that needs rights that we have not.
    pub fn make(test: &str, count: usize) -> Option<Hosts> {
        for program in ["ip", "tc"] {
            if Command::new(program).arg("-V").output().is_err() {
                crate::missing::program(program);
                return None;
            }
        }
        let made = || {
            let switch = Host::make(0)?;
            let bridge = "ip link add br0 type bridge forward_delay 0";
            if !switch.succeeds(bridge) || !switch.succeeds("ip link set br0 up") {
                return None;
            }
            let hosts: Option<Vec<Host>> = (1..=count).map(Host::make).collect();
            Some(Hosts {
                switch,
                hosts: hosts?,
            })
        };
        let Some(hosts) = made() else {
            eprintln!("left out: {test} needs network namespaces, and so root");
            return None;
        };
        for host in &hosts.hosts {
            let (number, target) = (host.number, host.keeper.id());
            hosts.switch.run(&format!(
                "ip link add p{number} type veth peer name eth0 netns {target}"
            ));
            hosts
                .switch
                .run(&format!("ip link set p{number} master br0 up"));
            host.run(&format!("ip address add 10.77.0.{number}/24 dev eth0"));
            host.run("ip link set eth0 up");
        }
        Some(hosts)
    }

    /// By number, from 1.
    pub fn host(&self, number: usize) -> &Host {
        &self.hosts[number - 1]
    }

    /// Takes a host off the network: what it sends and what is sent to it vanishes.
    pub fn cut(&self, number: usize) {
        self.switch.run(&format!("ip link set p{number} nomaster"));
    }

    /// Undoes a cut.
    pub fn restore(&self, number: usize) {
        self.switch
            .run(&format!("ip link set p{number} master br0"));
    }

    /// Makes what goes to a host slow, and loses some of it.
    pub fn slow_down(&self, number: usize) {
        let port = format!("tc qdisc add dev p{number} root");
        if !self
            .switch
            .succeeds(&format!("{port} netem delay 20ms 5ms loss 1% rate 20mbit"))
        {
            eprintln!("there is no netem here: a token bucket without delay slows the link down");
            // What finds more than 20 ms before it is lost.
            self.switch
                .run(&format!("{port} tbf rate 20mbit burst 16kb latency 20ms"));
        }
    }
}
