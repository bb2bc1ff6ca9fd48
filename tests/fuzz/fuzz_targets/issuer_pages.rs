//! The pages of a domain's issuer: a letter for the page, then what the browser or the client sends.
#![no_main]

use std::net::SocketAddr;
use std::sync::LazyLock;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, Response, header};
use libfuzzer_sys::fuzz_target;
use message::Domain;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// A page has a few kilobytes; what a stranger sent stands in it twice at most, each byte escaped.
const PAGE_LIMIT: usize = 64 * 1024;

struct World {
    pages: Router,
    runtime: Runtime,
    _dir: TempDir,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a folder");
    let domain = Domain::parse("b.localhost").expect("a host name");
    let pages = node::fuzzing::issuer(dir.path(), "http://b.localhost:7102", &domain).expect("an issuer");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    World { pages, runtime, _dir: dir }
});

fuzz_target!(|data: &[u8]| {
    let Some((page, rest)) = fuzz::text(data).and_then(|text| text.split_at_checked(1)) else { return };
    let (cookie, rest) = rest.split_once('\n').unwrap_or(("", rest));
    let (method, path) = match page {
        "l" => (Method::POST, "/oidc/login".to_owned()),
        "t" => (Method::POST, "/oidc/token".to_owned()),
        _ => (Method::GET, format!("/oidc/authorize?{rest}")),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::COOKIE, cookie)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 7))))
        .body(Body::from(rest.to_owned()));
    let Ok(request) = request else { return };
    let world = &*WORLD;
    world.runtime.block_on(async {
        let Ok(response) = world.pages.clone().oneshot(request).await;
        judge(response).await;
    });
});

async fn judge(response: Response<Body>) {
    assert!(!response.status().is_server_error());
    if let Some(location) = response.headers().get(header::LOCATION) {
        let port = location.to_str().ok().and_then(|text| text.strip_prefix("http://127.0.0.1:"));
        let path = port.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
        assert!(path.is_some_and(|path| path.starts_with("/cb?")), "a browser was sent elsewhere");
    }
    let body = to_bytes(response.into_body(), PAGE_LIMIT).await.expect("a page of a bounded size");
    let text = String::from_utf8(body.to_vec()).expect("a page is text");
    let foreign = ["<script", "href=\"javascript:", "action=\"javascript:"];
    assert!(!foreign.iter().any(|part| text.contains(part)), "a stranger wrote into the page");
}
