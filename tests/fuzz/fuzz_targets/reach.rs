//! Foreign URLs and redirects: where a request may go, whatever a stranger writes.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use transport::fuzzing::{admit, next_hop};
use transport::{NetConfig, Reach, Redirect, is_public};
use url::{Host, Url};

fuzz_target!(|data: &[u8]| {
    let Some(text) = fuzz::text(data) else { return };
    let _ = NetConfig::parse(text);
    let (first, location) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(url) = Url::parse(first) else { return };
    for reach in [Reach::Public, Reach::Loopback] {
        if admit(reach, &url).is_err() {
            continue;
        }
        stays(reach, &url);
        for policy in [Redirect::None, Redirect::SameHost, Redirect::Checked] {
            let Ok(next) = next_hop(&url, location.as_bytes(), policy, reach) else { continue };
            stays(reach, &next);
            assert!(policy != Redirect::None && (policy != Redirect::SameHost || next.origin() == url.origin()));
        }
    }
});

fn stays(reach: Reach, url: &Url) {
    assert!(url.username().is_empty() && url.password().is_none());
    let address: Option<IpAddr> = match url.host().expect("it has a host") {
        Host::Domain(name) => name.parse().ok(),
        Host::Ipv4(v4) => Some(v4.into()),
        Host::Ipv6(v6) => Some(v6.into()),
    };
    let local = url.host_str().is_some_and(|name| name.trim_end_matches('.').ends_with("localhost"));
    match reach {
        Reach::Public => {
            assert!(matches!(url.scheme(), "https" | "wss") && address.is_none_or(is_public));
            assert!(!url.host_str().is_some_and(|name| name.trim_end_matches('.') == "localhost"));
        }
        Reach::Loopback => assert!(local || address.is_some_and(|address| address.is_loopback())),
    }
}
