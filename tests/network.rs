//! Networks of nodes in which something goes wrong: every call ends within five seconds of
//! that, with an answer or an error, and nothing is delivered twice.
#![cfg(feature = "standalone")]

#[path = "support/program.rs"]
mod program;

#[path = "network/hosts.rs"]
mod hosts;
#[path = "support/missing.rs"]
mod missing;
#[path = "network/node.rs"]
mod node;
#[path = "network/proxy.rs"]
mod proxy;

use hosts::Hosts;
use node::{FIVE_SECONDS, Node, cluster, free_ports, harbor, number_after};
use proxy::Proxy;
use std::thread;
use std::time::{Duration, Instant};

/// How long a call may take when the other side's system says that the connection has ended.
const AT_ONCE: Duration = Duration::from_secs(1);

fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// Names and addresses of a cluster's nodes.
fn table(nodes: &[(&str, String)]) -> Vec<(String, String)> {
    nodes
        .iter()
        .map(|(name, address)| ((*name).to_owned(), address.clone()))
        .collect()
}

/// Calls that are under way, and those that follow, end when the node that is called is
/// killed, and so does a stream of calls that was never without one.
fn dies(one: &mut Node, two: &mut Node, name: &str) -> u64 {
    one.hold(two, name, 50);
    one.ask(&format!("stream {name}"), "streaming");
    one.call(name);
    let start = Instant::now();
    two.kill();
    let all_failed = format!("held calls to {name}: 0 answered, 50 failed");
    one.wait_within(&all_failed, start, AT_ONCE);
    one.wait_within("a call of the stream failed", start, AT_ONCE);
    let start = Instant::now();
    one.tell(&format!("call {name}"));
    one.wait_within(&format!("call to {name}: failed"), start, FIVE_SECONDS);
    let start = Instant::now();
    one.tell("stop");
    let line = one.wait_within(&format!("stream to {name}:"), start, FIVE_SECONDS);
    number_after(&line, "last ")
}

#[test]
fn killed_in_a_harbor() {
    let ports = free_ports(4);
    let master = local(ports[0]);
    let mut one = Node::ready(
        "harbor.killed.1",
        &harbor(1, &local(ports[1]), &master),
        None,
    );
    let mut two = Node::ready(
        "harbor.killed.2",
        &harbor(2, &local(ports[2]), &master),
        None,
    );
    let mut three = Node::ready(
        "harbor.killed.3",
        &harbor(3, &local(ports[3]), &master),
        None,
    );
    one.call("2");
    three.call("2");
    dies(&mut one, &mut two, "2");
    // It does not come back; those who are left go on, and new ones come.
    let mut again = Node::start(
        "harbor.killed.again",
        &harbor(2, &local(ports[2]), &master),
        None,
    );
    let log = again.ends();
    assert!(!log.contains("ready"), "{log}");
    one.wait_for("Slave 2 already register on");
    one.call("3");
    let mut four = Node::ready(
        "harbor.killed.4",
        &harbor(4, &local(ports[2]), &master),
        None,
    );
    four.call("1");
    four.call("3");
    one.call("4");
    one.check_totals("3", 1);
    // Without a master, too.
    three.hold(&mut one, "1", 5);
    let start = Instant::now();
    one.kill();
    three.wait_within("held calls to 1: 0 answered, 5 failed", start, AT_ONCE);
    three.call("4");
}

#[test]
fn killed_in_a_cluster() {
    let ports = free_ports(2);
    let nodes = table(&[("one", local(ports[0])), ("two", local(ports[1]))]);
    let mut one = Node::ready("cluster.killed.1", &cluster("one", &nodes), None);
    let mut two = Node::ready("cluster.killed.2", &cluster("two", &nodes), None);
    let last = dies(&mut one, &mut two, "two");
    // It comes back, and hears nothing that was sent before.
    let mut two = Node::ready("cluster.killed.again", &cluster("two", &nodes), None);
    one.ask("reach two", "reached two.");
    one.check_totals("two", last + 1);
    two.call("one");
    two.check_totals("one", 1);
}

/// A cluster of two in which what the first one calls goes through the test.
fn proxied(test: &str) -> (Node, Node, Proxy) {
    let ports = free_ports(2);
    let proxy = Proxy::start(ports[1]);
    let seen = table(&[("one", local(ports[0])), ("two", local(proxy.port))]);
    let own = table(&[("one", local(ports[0])), ("two", local(ports[1]))]);
    let mut two = Node::ready(&format!("{test}.2"), &cluster("two", &own), None);
    let mut one = Node::ready(&format!("{test}.1"), &cluster("one", &seen), None);
    one.call("two");
    two.call("one");
    (one, two, proxy)
}

#[test]
fn reset_in_a_cluster() {
    let (mut one, mut two, proxy) = proxied("cluster.reset");
    for _ in 0..3 {
        one.hold(&mut two, "two", 20);
        one.ask("stream two", "streaming");
        let start = Instant::now();
        proxy.reset();
        one.wait_within("held calls to two: 0 answered, 20 failed", start, AT_ONCE);
        one.tell("reach two");
        one.wait_within("reached two.", start, FIVE_SECONDS);
        one.ask("stop", "stream to two:");
    }
    one.check_totals("two", 1);
}

#[test]
fn held_up_in_a_cluster() {
    let (mut one, _two, proxy) = proxied("cluster.held_up");
    one.ask("stream two", "streaming");
    proxy.stop();
    one.tell("flood two 50 1024");
    one.tell("flood two 2 1048576");
    thread::sleep(Duration::from_millis(500));
    proxy.go_on();
    let start = Instant::now();
    one.wait_within("flood to two: 50 answered, 0 failed", start, FIVE_SECONDS);
    one.wait_within("flood to two: 2 answered, 0 failed", start, FIVE_SECONDS);
    let line = one.ask("stop", "stream to two:");
    assert!(line.contains(" 0 failed"), "{line}");
    one.check_totals("two", 1);
    // The same, but with a reset instead of what was held up.
    proxy.stop();
    one.tell("flood two 50 1024");
    one.tell("flood two 2 1048576");
    thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    proxy.reset();
    one.wait_within("flood to two: 0 answered, 50 failed", start, AT_ONCE);
    one.wait_within("flood to two: 0 answered, 2 failed", start, AT_ONCE);
    one.ask("reach two", "reached two.");
    one.check_totals("two", 1);
}

/// Two hosts, with a node of a harbor on each.
fn harbor_on_hosts(test: &str) -> Option<(Hosts, Node, Node)> {
    let hosts = Hosts::make(test, 2)?;
    let (first, second) = (hosts.host(1), hosts.host(2));
    let master = first.address(2013);
    let settings = harbor(1, &first.address(2526), &master);
    let one = Node::ready(&format!("{test}.1"), &settings, Some(first));
    let settings = harbor(2, &second.address(2526), &master);
    let two = Node::ready(&format!("{test}.2"), &settings, Some(second));
    let mut nodes = (hosts, one, two);
    nodes.1.call("2");
    nodes.2.call("1");
    Some(nodes)
}

/// Two hosts, with a node of a cluster on each.
fn cluster_on_hosts(test: &str) -> Option<(Hosts, Node, Node)> {
    let hosts = Hosts::make(test, 2)?;
    let (first, second) = (hosts.host(1), hosts.host(2));
    let nodes = table(&[("one", first.address(2528)), ("two", second.address(2528))]);
    let mut one = Node::ready(&format!("{test}.1"), &cluster("one", &nodes), Some(first));
    let mut two = Node::ready(&format!("{test}.2"), &cluster("two", &nodes), Some(second));
    one.call("two");
    two.call("one");
    Some((hosts, one, two))
}

/// Packets vanish: calls under way, which the other side has or has not, and later ones end.
fn cut(hosts: &Hosts, one: &mut Node, two: &mut Node, names: [&str; 2]) {
    let [first, second] = names;
    one.hold(two, second, 20);
    two.hold(one, first, 20);
    one.ask(&format!("stream {second}"), "streaming");
    let start = Instant::now();
    hosts.cut(2);
    one.tell(&format!("flood {second} 20 1024"));
    one.tell(&format!("flood {second} 2 1048576"));
    for line in [
        format!("held calls to {second}: 0 answered, 20 failed"),
        format!("flood to {second}: 0 answered, 20 failed"),
        format!("flood to {second}: 0 answered, 2 failed"),
        "a call of the stream failed".to_owned(),
    ] {
        one.wait_within(&line, start, FIVE_SECONDS);
    }
    let line = format!("held calls to {first}: 0 answered, 20 failed");
    two.wait_within(&line, start, FIVE_SECONDS);
    for (node, name) in [(&mut *one, second), (&mut *two, first)] {
        let start = Instant::now();
        node.tell(&format!("call {name}"));
        node.wait_within(&format!("call to {name}: failed"), start, FIVE_SECONDS);
    }
    let start = Instant::now();
    one.tell("stop");
    one.wait_within(&format!("stream to {second}:"), start, FIVE_SECONDS);
}

#[test]
fn cut_in_a_harbor() {
    let Some((hosts, mut one, mut two)) = harbor_on_hosts("harbor.cut") else {
        return;
    };
    cut(&hosts, &mut one, &mut two, ["1", "2"]);
    // A link that was lost stays lost, for both sides.
    hosts.restore(2);
    one.ask("call 2", "call to 2: failed");
    two.ask("call 1", "call to 1: failed");
}

#[test]
fn cut_in_a_cluster() {
    let Some((hosts, mut one, mut two)) = cluster_on_hosts("cluster.cut") else {
        return;
    };
    cut(&hosts, &mut one, &mut two, ["one", "two"]);
    hosts.restore(2);
    let start = Instant::now();
    for (node, name) in [(&mut one, "two"), (&mut two, "one")] {
        node.tell(&format!("reach {name}"));
        node.wait_within(&format!("reached {name}."), start, FIVE_SECONDS);
        node.check_totals(name, 1);
    }
}

/// A cut that is over soon, and a link that is slow and loses packets, cost time and nothing else.
fn bad_link(hosts: &Hosts, one: &mut Node, two: &mut Node, names: [&str; 2]) {
    let [first, second] = names;
    one.ask(&format!("stream {second}"), "streaming");
    two.ask(&format!("stream {first}"), "streaming");
    hosts.cut(2);
    one.tell(&format!("flood {second} 20 1024"));
    thread::sleep(Duration::from_millis(700));
    hosts.restore(2);
    let start = Instant::now();
    let line = format!("flood to {second}: 20 answered, 0 failed");
    one.wait_within(&line, start, FIVE_SECONDS);
    hosts.slow_down(1);
    hosts.slow_down(2);
    for (node, name) in [(&mut *one, second), (&mut *two, first)] {
        node.tell(&format!("flood {name} 3 1048576"));
        node.tell(&format!("flood {name} 200 1024"));
    }
    for (node, name) in [(&mut *one, second), (&mut *two, first)] {
        node.wait_for(&format!("flood to {name}: 3 answered, 0 failed"));
        node.wait_for(&format!("flood to {name}: 200 answered, 0 failed"));
        let line = node.ask("stop", &format!("stream to {name}:"));
        assert!(line.contains(" 0 failed"), "{line}");
    }
    one.check_totals(second, 1);
    two.check_totals(first, 1);
}

#[test]
fn bad_link_in_a_harbor() {
    if let Some((hosts, mut one, mut two)) = harbor_on_hosts("harbor.bad_link") {
        bad_link(&hosts, &mut one, &mut two, ["1", "2"]);
    }
}

#[test]
fn bad_link_in_a_cluster() {
    if let Some((hosts, mut one, mut two)) = cluster_on_hosts("cluster.bad_link") {
        bad_link(&hosts, &mut one, &mut two, ["one", "two"]);
    }
}

/// How many nodes start at once.
const MANY: usize = 10;

/// The numbers from 1 to `MANY` in an order that differs from run to run.
fn any_order() -> Vec<usize> {
    let seed = u64::from(std::process::id());
    let mut order: Vec<usize> = (1..=MANY).collect();
    order.sort_by_key(|number| (seed + *number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    eprintln!("started in the order {order:?}");
    order
}

/// Each node calls all others.
fn all_reach_all(nodes: &mut [(String, Node)]) {
    let names: Vec<String> = nodes.iter().map(|(name, _)| name.clone()).collect();
    for (own, node) in nodes.iter_mut() {
        for name in names.iter().filter(|name| *name != own) {
            node.tell(&format!("reach {name}"));
        }
    }
    for (own, node) in nodes.iter_mut() {
        for name in names.iter().filter(|name| *name != own) {
            node.wait_for(&format!("reached {name}."));
        }
    }
}

#[test]
fn many_at_once_in_a_harbor() {
    let ports = free_ports(MANY + 1);
    let master = local(ports[0]);
    let start = |number: usize| {
        let settings = harbor(number, &local(ports[number]), &master);
        Node::start(&format!("harbor.many.{number}"), &settings, None)
    };
    let mut nodes: Vec<(String, Node)> = any_order()
        .into_iter()
        .map(|number| (number.to_string(), start(number)))
        .collect();
    // One that is there before the master ends, and is started again.
    for (name, node) in &mut nodes {
        while !node.is_ready() {
            *node = start(name.parse().unwrap());
        }
    }
    all_reach_all(&mut nodes);
}

#[test]
fn many_at_once_in_a_cluster() {
    let ports = free_ports(MANY + 1);
    let names: Vec<String> = (1..=MANY).map(|number| format!("n{number}")).collect();
    let addresses: Vec<(String, String)> = names
        .iter()
        .cloned()
        .zip(ports[1..].iter().map(|port| local(*port)))
        .collect();
    let mut nodes: Vec<(String, Node)> = any_order()
        .into_iter()
        .map(|number| {
            let name = &names[number - 1];
            let settings = cluster(name, &addresses);
            let node = Node::start(&format!("cluster.many.{number}"), &settings, None);
            (name.clone(), node)
        })
        .collect();
    all_reach_all(&mut nodes);
    for (_, node) in &mut nodes {
        node.wait_for("ready");
    }
}
