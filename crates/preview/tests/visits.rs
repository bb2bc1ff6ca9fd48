//! Visits sites that are plain, slow, endless, lying or hostile, over real TLS.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::io::Cursor;
use std::time::{Duration, Instant};

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use lab::pages::{Answer, Pages};
use preview::{Card, Link, LinkError, PICTURE_LIMIT, PICTURE_SIDE, PreviewError, visit};
use transport::{Net, NetConfig};

const TEA: &str = "<title>Tea</title><meta property='og:description' content='How long?'>";

fn picture(format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let pixels = RgbImage::from_fn(800, 400, |x, y| Rgb([(x % 256) as u8, (y % 256) as u8, 90]));
    DynamicImage::ImageRgb8(pixels).write_to(&mut out, format).unwrap();
    out.into_inner()
}

async fn card(link: &str) -> Result<Card, PreviewError> {
    let link = Link::parse(link)?;
    Ok(visit(&Net::new(NetConfig::default()).unwrap(), &link).await?.into_card())
}

fn with_picture(place: &str) -> String {
    format!("{TEA}<meta property='og:image' content='{place}'>")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_and_its_picture_become_a_card() {
    let site = Pages::open(|path| match path {
        "/tea?x=1" => Answer::page(&with_picture("/tea.png")),
        "/tea.png" => Answer::of("image/png", &picture(ImageFormat::Png)),
        _ => Answer::nothing(),
    })
    .await;
    let link = site.link("/tea?x=1#brewing");
    let card = card(&link).await.unwrap();
    assert_eq!((card.title(), card.description(), card.link().host()), ("Tea", "How long?", "site.localhost"));
    assert!(pictures::is_small_jpeg(card.picture(), PICTURE_SIDE) && card.picture().len() <= PICTURE_LIMIT);
    assert_eq!(Card::parse(&card.to_value(), &format!("look: {link}")), Some(card), "who receives it reads the same");
    assert_eq!(site.paths(), ["/tea?x=1", "/tea.png"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_learns_the_name_of_the_program_and_nothing_of_the_person() {
    let site = Pages::open(|path| match path {
        "/tea" => {
            let Answer::Whole(bytes) = Answer::page(&with_picture("/none")) else { unreachable!() };
            let text = String::from_utf8(bytes).unwrap().replace("\r\n\r\n", "\r\nset-cookie: who=you\r\n\r\n");
            Answer::Whole(text.into_bytes())
        }
        _ => Answer::nothing(),
    })
    .await;
    card(&site.link("/tea")).await.unwrap();
    card(&site.link("/tea")).await.unwrap();
    let visits = site.visits();
    assert_eq!(visits.len(), 4);
    for head in visits {
        let mut names: Vec<_> =
            head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_lowercase()).collect();
        names.sort();
        assert_eq!(names, ["accept", "host", "user-agent"], "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_followed_three_times_and_never_into_a_private_network() {
    let site = Pages::open(|path| match path {
        "/1" => Answer::see("/2"),
        "/2" => Answer::see("/3"),
        "/3" => Answer::see("/tea"),
        "/0" => Answer::see("/1"),
        "/round" => Answer::see("/round"),
        "/tea" => Answer::page(TEA),
        "/nowhere" => Answer::Whole(b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n".to_vec()),
        to => Answer::see(to.trim_start_matches("/to/")),
    })
    .await;
    assert_eq!(card(&site.link("/1")).await.unwrap().title(), "Tea");
    assert_eq!(card(&site.link("/1")).await.unwrap().link().as_str(), site.link("/1"), "the card is of the link");
    for path in ["/0", "/round", "/nowhere"] {
        assert_eq!(card(&site.link(path)).await, Err(PreviewError::Hops), "{path}");
    }
    for (to, why) in [
        ("https://10.0.0.1/", LinkError::Host),
        ("https://169.254.169.254/latest/meta-data", LinkError::Host),
        ("https://[fd00::1]/", LinkError::Host),
        ("https://[::ffff:127.0.0.1]/", LinkError::Host),
        ("https://[64:ff9b::a00:1]/", LinkError::Host),
        ("https://router.lan/", LinkError::Host),
        ("http://site.localhost/", LinkError::NotEncrypted),
        ("https://b.org:22/", LinkError::Port),
        ("https://me:secret@b.org/", LinkError::Credentials),
        ("file:///etc/passwd", LinkError::NotALink),
    ] {
        assert_eq!(card(&site.link(&format!("/to/{to}"))).await, Err(PreviewError::Link(why)), "{to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_end_is_read_to_its_bound() {
    let site = Pages::open(|path| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n{TEA}");
        match path {
            "/page" => Answer::Endless(head.into_bytes()),
            "/shy" => Answer::Endless(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n".to_vec()),
            _ => Answer::Endless(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
        }
    })
    .await;
    assert_eq!(card(&site.link("/page")).await.unwrap().title(), "Tea");
    assert_eq!(card(&site.link("/shy")).await, Err(PreviewError::Nameless));
    assert!(matches!(card(&site.link("/head")).await, Err(PreviewError::Fetch(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_site_is_left_after_six_seconds_and_a_slow_picture_with_the_card() {
    let head = |media: &str| format!("HTTP/1.1 200 OK\r\ncontent-type: {media}\r\n\r\n").into_bytes();
    let site = Pages::open(move |path| match path {
        "/slow" => Answer::Silence([head("text/html"), TEA.as_bytes().to_vec()].concat()),
        "/picture" => Answer::page(&with_picture("/slow.png")),
        _ => Answer::Silence(head("image/png")),
    })
    .await;
    let from = Instant::now();
    let (slow, picture) = (site.link("/slow"), site.link("/picture"));
    let (slow, picture) = tokio::join!(card(&slow), card(&picture));
    assert!((Duration::from_secs(5)..Duration::from_secs(20)).contains(&from.elapsed()), "{:?}", from.elapsed());
    assert_eq!(slow, Err(PreviewError::TooSlow));
    let picture = picture.unwrap();
    assert_eq!((picture.title(), picture.picture().len()), ("Tea", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_page_has_no_card() {
    let site = Pages::open(|path| match path {
        "/pdf" => Answer::of("application/pdf", TEA.as_bytes()),
        "/none" => Answer::Whole(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{TEA}", TEA.len()).into_bytes()),
        "/packed" => Answer::Whole(
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-encoding: gzip\r\n\r\n{TEA}").into_bytes(),
        ),
        "/nameless" => Answer::page("<meta name=description content=x>"),
        _ => Answer::nothing(),
    })
    .await;
    for (path, why) in [
        ("/pdf", PreviewError::NotAPage),
        ("/none", PreviewError::NotAPage),
        ("/packed", PreviewError::NotAPage),
        ("/nameless", PreviewError::Nameless),
        ("/gone", PreviewError::Status(404)),
    ] {
        assert_eq!(card(&site.link(path)).await, Err(why), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_none_or_too_large_or_elsewhere_is_left_out() {
    let site = Pages::open(|path| match path {
        "/svg.png" => Answer::of("image/png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        "/typed.svg" => Answer::of("image/svg+xml", &picture(ImageFormat::Png)),
        "/large.png" => Answer::of("image/png", &[picture(ImageFormat::Png), vec![0; 1024 * 1024]].concat()),
        "/bomb.png" => {
            let mut png = picture(ImageFormat::Png);
            png[16..24].copy_from_slice(&[0, 0, 0x60, 0, 0, 0, 0x60, 0]);
            Answer::of("image/png", &png)
        }
        "/good.jpg" => Answer::of("image/jpeg", &picture(ImageFormat::Jpeg)),
        page => Answer::page(&with_picture(page.trim_start_matches("/page/"))),
    })
    .await;
    let of = async |place: &str| card(&site.link(&format!("/page/{place}"))).await.unwrap().picture().len();
    assert!(of("/good.jpg").await > 0, "the honest case");
    assert!(of(&site.other("/good.jpg")).await > 0, "a picture may be at another host");
    for place in
        ["/svg.png", "/typed.svg", "/large.png", "/bomb.png", "https://10.0.0.1/x.png", "data:image/png,x", "/%zz"]
    {
        assert_eq!(of(place).await, 0, "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_cannot_prove_its_name_is_not_asked() {
    let site = Pages::open(|_| Answer::page(TEA)).await;
    let wrong = site.link("/").replace("site.localhost", "bank.localhost");
    assert!(matches!(card(&wrong).await, Err(PreviewError::Fetch(_))));
    assert!(site.paths().is_empty());
    assert!(card(&site.other("/")).await.is_ok(), "the honest case");
}
