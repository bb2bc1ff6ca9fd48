//! Networks as bad as real ones, made of network namespaces and nftables: two homes behind routers of
//! their own, and an internet between them with a relay in it.
//!
//! ```text
//!  ana 10.1.0.2 ── router 10.1.0.1 | 198.18.0.11 ──┐
//!                                                  ├── internet 198.18.0.1 (bridge, relay)
//!  ben 10.2.0.2 ── router 10.2.0.1 | 198.18.0.12 ──┘
//! ```

#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

pub const INTERNET: [u8; 4] = [198, 18, 0, 1];

/// Two homes and what lies between them; gone with its owner.
pub struct World {
    tag: String,
}

/// How a router translates addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Router {
    /// Another port for each destination, and nobody comes in uncalled: symmetric NAT.
    Symmetric,
    /// The same, and no UDP leaves at all.
    NoUdp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    Ana,
    Ben,
}

impl Home {
    fn number(self) -> u8 {
        match self {
            Self::Ana => 1,
            Self::Ben => 2,
        }
    }

    /// The address of the device in this home.
    pub fn address(self) -> IpAddr {
        IpAddr::from([10, self.number(), 0, 2])
    }
}

impl World {
    /// Makes it. Where that is not permitted the story fails and says so, unless `PARLANCE_NO_NETWORKS` leaves it out.
    pub fn new(router: Router) -> Option<Self> {
        if std::env::var_os("PARLANCE_NO_NETWORKS").is_some() {
            eprintln!("left out: PARLANCE_NO_NETWORKS is set");
            return None;
        }
        assert!(has("ip") && has("nft"), "iproute2 and nftables are installed (./dev setup --test)");
        let world = Self { tag: format!("pl{}", std::process::id()) };
        assert!(
            rustix::process::geteuid().is_root() && world.try_ip(&["netns", "add", &world.name("net")]),
            "networks are made by root, where network namespaces are permitted: run these stories so, for example with \
             `unshare --user --map-root-user --net --mount sh -c 'mount -t tmpfs tmpfs /run && ./dev test'`, or leave \
             them out with PARLANCE_NO_NETWORKS=1"
        );
        world.ip(&["-n", &world.name("net"), "link", "set", "lo", "up"]);
        world.ip(&["-n", &world.name("net"), "link", "add", "br0", "type", "bridge"]);
        world.ip(&["-n", &world.name("net"), "addr", "add", "198.18.0.1/24", "dev", "br0"]);
        world.ip(&["-n", &world.name("net"), "link", "set", "br0", "up"]);
        // As on the real internet, a packet to nowhere is lost and not refused; coturn ends an
        // allocation when the system refuses to send for it.
        world.ip(&["-n", &world.name("net"), "route", "add", "default", "dev", "br0"]);
        for home in [Home::Ana, Home::Ben] {
            world.build(home, router);
        }
        Some(world)
    }

    fn build(&self, home: Home, router: Router) {
        let n = home.number();
        let (inside, gate, net) = (self.home(home), self.router(home), self.name("net"));
        self.ip(&["netns", "add", &inside]);
        self.ip(&["netns", "add", &gate]);
        let (outer, port) = (format!("up{n}"), format!("port{n}"));
        self.ip(&["link", "add", &outer, "netns", &gate, "type", "veth", "peer", "name", &port, "netns", &net]);
        self.ip(&["-n", &net, "link", "set", &port, "master", "br0", "up"]);
        self.up(&gate, &outer, &format!("198.18.0.1{n}/24"));
        self.ip(&["link", "add", "lan", "netns", &gate, "type", "veth", "peer", "name", "eth", "netns", &inside]);
        self.up(&gate, "lan", &format!("10.{n}.0.1/24"));
        self.up(&inside, "eth", &format!("10.{n}.0.2/24"));
        self.ip(&["-n", &inside, "link", "set", "lo", "up"]);
        self.ip(&["-n", &inside, "route", "add", "default", "via", &format!("10.{n}.0.1")]);
        assert!(self.run(&gate, &["sysctl", "-qw", "net.ipv4.ip_forward=1"]), "a router forwards");
        let blocked = if router == Router::NoUdp { "meta l4proto udp drop" } else { "" };
        self.rules(
            &gate,
            &format!(
                "table ip house {{
                    chain leaving {{
                        type nat hook postrouting priority 100
                        oifname \"{outer}\" masquerade fully-random
                    }}
                    chain passing {{
                        type filter hook forward priority 0
                        {blocked}
                        iifname \"{outer}\" ct state new drop
                    }}
                }}"
            ),
        );
    }

    /// Cuts everything that passes a home's router, or lets it pass again.
    pub fn cut(&self, home: Home, is_cut: bool) {
        let rules = "table ip cut {\n chain passing {\n type filter hook forward priority -10\n drop\n }\n}";
        match is_cut {
            true => self.rules(&self.router(home), rules),
            false => self.rules(&self.router(home), "delete table ip cut"),
        }
    }

    /// Gives a home a second way out, beside the router: an address right on the internet.
    pub fn bring_up_another_way(&self, home: Home) {
        let n = home.number();
        let (inside, net, port) = (self.home(home), self.name("net"), format!("mob{n}"));
        self.ip(&["link", "add", "mobile", "netns", &inside, "type", "veth", "peer", "name", &port, "netns", &net]);
        self.ip(&["-n", &net, "link", "set", &port, "master", "br0", "up"]);
        self.up(&inside, "mobile", &format!("198.18.0.2{n}/24"));
        self.ip(&["-n", &inside, "route", "replace", "default", "via", "198.18.0.1"]);
    }

    /// Takes the cable of a home's device out.
    pub fn unplug(&self, home: Home) {
        self.ip(&["-n", &self.home(home), "link", "del", "eth"]);
    }

    /// A command in the internet.
    pub fn on_internet(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name("net"), program]);
        command
    }

    /// A runtime whose every thread lives in a home.
    pub fn runtime(&self, home: Home) -> tokio::runtime::Runtime {
        let place = Arc::new(self.place(&self.home(home)));
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .on_thread_start(move || {
                move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            })
            .build()
            .unwrap()
    }

    /// Does something with one thread of its own on the internet.
    pub fn on_the_internet<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let place = self.place(&self.name("net"));
        std::thread::scope(|scope| {
            let there = scope.spawn(move || {
                move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            there.join().unwrap()
        })
    }

    fn place(&self, name: &str) -> File {
        File::open(format!("/run/netns/{name}")).unwrap()
    }

    fn name(&self, part: &str) -> String {
        format!("{}-{part}", self.tag)
    }

    fn home(&self, home: Home) -> String {
        self.name(&format!("home{}", home.number()))
    }

    fn router(&self, home: Home) -> String {
        self.name(&format!("router{}", home.number()))
    }

    fn up(&self, namespace: &str, link: &str, address: &str) {
        self.ip(&["-n", namespace, "addr", "add", address, "dev", link]);
        self.ip(&["-n", namespace, "link", "set", link, "up"]);
    }

    fn ip(&self, arguments: &[&str]) {
        assert!(self.try_ip(arguments), "ip {}", arguments.join(" "));
    }

    fn try_ip(&self, arguments: &[&str]) -> bool {
        Command::new("ip").args(arguments).status().is_ok_and(|status| status.success())
    }

    fn run(&self, namespace: &str, command: &[&str]) -> bool {
        let status = Command::new("ip").args(["netns", "exec", namespace]).args(command).status();
        status.is_ok_and(|status| status.success())
    }

    fn rules(&self, namespace: &str, rules: &str) {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, "nft", "-f", "-"]).stdin(Stdio::piped());
        let mut nft = command.spawn().unwrap();
        nft.stdin.take().unwrap().write_all(format!("{rules}\n").as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success(), "nft refuses {rules}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for home in [Home::Ana, Home::Ben] {
            self.try_ip(&["netns", "del", &self.home(home)]);
            self.try_ip(&["netns", "del", &self.router(home)]);
        }
        self.try_ip(&["netns", "del", &self.name("net")]);
    }
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok()
}
