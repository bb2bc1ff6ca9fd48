//! Stories of devices that come, go, and are held by another app.

use super::*;

/// A system with some devices; each may be opened, busy, or not there.
#[derive(Default)]
struct System {
    chosen: Option<ErrorKind>,
    default: Option<ErrorKind>,
    gone: bool,
}

type World = Arc<std::sync::Mutex<System>>;

struct Story {
    world: World,
    orders: mpsc::Sender<Order>,
    news: mpsc::Receiver<News<u8>>,
    thread: JoinHandle<()>,
}

impl Story {
    fn begin(system: System, chosen: Option<&str>) -> Self {
        let world = Arc::new(std::sync::Mutex::new(system));
        let (orders, orders_in) = mpsc::channel();
        let (news_out, news) = mpsc::channel();
        let (sees, chosen) = (Arc::clone(&world), chosen.map(str::to_owned));
        let thread = std::thread::spawn(move || {
            let open = |id: Option<&str>| {
                let system = sees.lock().unwrap();
                if let Some(kind) = if id.is_some() { system.chosen } else { system.default } {
                    return Err(kind.into());
                }
                let (name, watches) = (id.unwrap_or("default").to_owned(), Arc::clone(&sees));
                let gone = Box::new(move || std::mem::take(&mut watches.lock().unwrap().gone));
                Ok(Opened { _stream: None, ring: 0, rate: SAMPLE_RATE, name, gone })
            };
            let look_after = Duration::from_millis(5);
            Keeper { open, chosen, news: news_out, told: None, look_after }.run(&orders_in);
        });
        Self { world, orders, news, thread }
    }

    fn change(&self, change: impl FnOnce(&mut System)) {
        change(&mut self.world.lock().unwrap());
    }

    fn told(&self) -> DeviceState {
        loop {
            match self.news.recv_timeout(Duration::from_secs(20)).expect("something is told") {
                News::State(state) => return state,
                News::Opened { .. } => {}
            }
        }
    }

    fn end(self) {
        self.orders.send(Order::Stop).unwrap();
        self.thread.join().unwrap();
    }
}

fn works(name: &str, instead: bool) -> DeviceState {
    DeviceState::Working { name: name.to_owned(), instead }
}

#[test]
fn a_headset_that_is_pulled_out_is_replaced_and_taken_again_when_it_is_back() {
    let story = Story::begin(System::default(), Some("headset"));
    assert_eq!(story.told(), works("headset", false));
    story.change(|system| system.chosen = Some(ErrorKind::DeviceNotAvailable));
    story.orders.send(Order::Lost).unwrap();
    assert_eq!(story.told(), DeviceState::Lost);
    assert_eq!(story.told(), DeviceState::Missing);
    assert_eq!(story.told(), works("default", true));
    story.change(|system| system.chosen = None);
    assert_eq!(story.told(), works("headset", false));
    story.end();
}

#[test]
fn a_microphone_that_another_app_holds_is_named_so_and_taken_when_it_is_free() {
    let busy = System { chosen: Some(ErrorKind::DeviceBusy), ..System::default() };
    let story = Story::begin(busy, Some("studio"));
    assert_eq!(story.told(), DeviceState::InUse);
    assert_eq!(story.told(), works("default", true));
    story.change(|system| system.chosen = None);
    assert_eq!(story.told(), works("studio", false));
    story.end();
}

#[test]
fn without_any_microphone_we_go_on_looking() {
    let nothing = Some(ErrorKind::DeviceNotAvailable);
    let story = Story::begin(System { chosen: nothing, default: nothing, gone: false }, Some("headset"));
    assert_eq!(story.told(), DeviceState::Missing);
    story.change(|system| system.default = None);
    assert_eq!(story.told(), works("default", true));
    story.end();
}

#[test]
fn a_sound_server_that_moves_a_stream_without_a_word_is_noticed() {
    let story = Story::begin(System::default(), None);
    assert_eq!(story.told(), works("default", false));
    story.change(|system| system.gone = true);
    assert_eq!(story.told(), DeviceState::Lost);
    assert_eq!(story.told(), works("default", false));
    story.end();
}

#[test]
fn a_speaker_that_needs_more_time_is_opened_anew_and_nobody_is_troubled() {
    let missing = System { chosen: Some(ErrorKind::DeviceNotAvailable), ..System::default() };
    for (system, chosen, instead) in [(System::default(), None, false), (missing, Some("headset"), true)] {
        let story = Story::begin(system, chosen);
        while story.told() != works("default", instead) {}
        let next = || story.news.recv_timeout(Duration::from_secs(20)).expect("something is told");
        assert!(matches!(next(), News::Opened { .. }));
        story.orders.send(Order::Again).unwrap();
        assert!(matches!(next(), News::Opened { .. }), "no word about its state");
        story.end();
    }
}

#[test]
fn what_is_wrong_with_a_device_has_a_name() {
    let named = [
        (ErrorKind::DeviceBusy, DeviceState::InUse),
        (ErrorKind::PermissionDenied, DeviceState::NotPermitted),
        (ErrorKind::DeviceNotAvailable, DeviceState::Missing),
        (ErrorKind::HostUnavailable, DeviceState::Missing),
        (ErrorKind::UnsupportedConfig, DeviceState::Broken),
    ];
    for (kind, state) in named {
        assert_eq!(state_of(kind), state);
    }
}
