//! Sound devices: opening them, keeping them open, and passing samples without ever waiting.
//!
//! Each device in use has a thread that owns its stream, because streams may not change
//! threads. The audio callback only touches a lock-free ring. When the chosen device is lost
//! the thread takes the system's choice instead, and goes back when the chosen one is there
//! again; the voice thread keeps time by itself meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, FromSample, Sample, SampleFormat, SizedSample, StreamConfig};
use serde::{Deserialize, Serialize};

use crate::SAMPLE_RATE;
use crate::device_period::{Haste, PERIOD, Watch};
use crate::usage::{Held, Usage};

/// Samples a ring holds: 400 ms at 48 kHz, far more than should ever wait.
const RING: usize = 19_200;
/// How often we look whether a device that is missed is there again, or one in use is gone.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// How long opening a device may take.
const OPENING: Duration = Duration::from_secs(3);
/// The most devices a list names.
const LISTED: usize = 64;

/// Which way sound goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// A microphone.
    Input,
    /// A speaker.
    Output,
}

/// How a device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum DeviceState {
    /// It works.
    Working {
        /// Its name, for people.
        name: String,
        /// It is the system's choice, because the chosen one does not work; we go back to that when it does.
        instead: bool,
    },
    /// There is none.
    Missing,
    /// Another app uses it and does not share it.
    InUse,
    /// The system does not let us.
    NotPermitted,
    /// It was there and is gone; we try again.
    Lost,
    /// Anything else that is wrong with it.
    Broken,
    /// The file named instead of a device cannot be read.
    Unreadable,
}

/// A device to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// The stable id, for `Microphone::Device` and `Speaker::Device`.
    pub id: String,
    /// The name, for people.
    pub name: String,
    /// Which way it goes.
    pub direction: Direction,
    /// What the system would choose.
    pub default: bool,
}

/// What a device thread tells the voice thread.
pub(crate) enum News<End> {
    /// A stream runs; here is our end of its ring, and the rate of what goes through it.
    Opened { ring: End, rate: u32 },
    /// How the device is.
    State(DeviceState),
}

/// A device in use. Dropping it closes the device.
pub(crate) struct DeviceThread<End> {
    pub(crate) news: mpsc::Receiver<News<End>>,
    orders: mpsc::Sender<Order>,
    thread: Option<JoinHandle<()>>,
    /// Samples the speaker wanted and did not get.
    pub(crate) starved: Arc<AtomicU64>,
}

enum Order {
    Stop,
    Lost,
    /// The same device is to be opened anew: it needs more time.
    Again,
}

pub(crate) fn microphone(id: Option<String>, usage: &Arc<Usage>) -> DeviceThread<rtrb::Consumer<f32>> {
    // Whoever opens a device wants to know when it has moved.
    let waker = std::thread::current();
    DeviceThread::start("voice-in", id, usage, move |id, orders, _| {
        let Chosen { device, config, format, gone } = choose(id, Direction::Input, |_| PERIOD)?;
        let waker = waker.clone();
        let (producer, consumer) = rtrb::RingBuffer::new(RING);
        let stream = match format {
            SampleFormat::F32 => capture::<f32>(&device, config, producer, orders, waker),
            SampleFormat::I16 => capture::<i16>(&device, config, producer, orders, waker),
            SampleFormat::I32 => capture::<i32>(&device, config, producer, orders, waker),
            SampleFormat::U16 => capture::<u16>(&device, config, producer, orders, waker),
            _ => Err(ErrorKind::UnsupportedConfig.into()),
        }?;
        stream.play()?;
        Ok(Opened { _stream: Some(stream), ring: consumer, rate: config.sample_rate, name: name(&device), gone })
    })
}

pub(crate) fn speaker(id: Option<String>, usage: &Arc<Usage>) -> DeviceThread<rtrb::Producer<f32>> {
    let waker = std::thread::current();
    let haste = Arc::new(Haste::default());
    DeviceThread::start("voice-out", id, usage, move |id, orders, starved| {
        let Chosen { device, config, format, gone } =
            choose(id, Direction::Output, |host| haste.period(host.id().name()))?;
        let waker = waker.clone();
        let (producer, consumer) = rtrb::RingBuffer::new(RING);
        let served = Served { orders, starved, haste: Arc::clone(&haste), waker };
        let stream = match format {
            SampleFormat::F32 => render::<f32>(&device, config, consumer, served),
            SampleFormat::I16 => render::<i16>(&device, config, consumer, served),
            SampleFormat::I32 => render::<i32>(&device, config, consumer, served),
            SampleFormat::U16 => render::<u16>(&device, config, consumer, served),
            _ => Err(ErrorKind::UnsupportedConfig.into()),
        }?;
        stream.play()?;
        Ok(Opened { _stream: Some(stream), ring: producer, rate: config.sample_rate, name: name(&device), gone })
    })
}

/// A stream that runs.
struct Opened<End> {
    _stream: Option<cpal::Stream>,
    ring: End,
    rate: u32,
    name: String,
    /// Says that the device went, or is not the system's choice any more, without an error of the stream.
    gone: Box<dyn Fn() -> bool>,
}

impl<End: Send + 'static> DeviceThread<End> {
    fn start<Open>(thread_name: &str, id: Option<String>, usage: &Arc<Usage>, open: Open) -> Self
    where
        Open:
            Fn(Option<&str>, mpsc::Sender<Order>, Arc<AtomicU64>) -> Result<Opened<End>, cpal::Error> + Send + 'static,
    {
        let (news_out, news) = mpsc::channel();
        let (orders, orders_in) = mpsc::channel();
        let starved = Arc::new(AtomicU64::new(0));
        let hold = usage.hold(Held::Thread);
        let work = {
            let (orders, starved) = (orders.clone(), Arc::clone(&starved));
            move || {
                let _hold = hold;
                // Before the device is opened, since its own threads are started then.
                priority::voice();
                let open = |id: Option<&str>| open(id, orders.clone(), Arc::clone(&starved));
                Keeper { open, chosen: id, news: news_out, told: None, look_after: LOOK_AFTER }.run(&orders_in);
            }
        };
        let thread = std::thread::Builder::new().name(thread_name.to_owned()).spawn(work).ok();
        Self { news, orders, thread, starved }
    }
}

impl<End> Drop for DeviceThread<End> {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Keeps the best device open that there is: the chosen one, else the system's choice.
struct Keeper<End, Open> {
    open: Open,
    chosen: Option<String>,
    news: mpsc::Sender<News<End>>,
    told: Option<DeviceState>,
    look_after: Duration,
}

/// Why a device is not used any longer.
enum Ending<End> {
    Stop,
    Lost,
    /// This one runs in its place; it is the system's choice `instead`, or the chosen one.
    Better {
        opened: Opened<End>,
        instead: bool,
    },
}

impl<End, Open> Keeper<End, Open>
where
    Open: Fn(Option<&str>) -> Result<Opened<End>, cpal::Error>,
{
    fn run(&mut self, orders: &mpsc::Receiver<Order>) {
        loop {
            let ending = match self.open_best() {
                Some((opened, instead)) => self.use_it(opened, instead, orders),
                None => Ending::Lost,
            };
            if let Ending::Stop = ending {
                return;
            }
            // What was said about a stream that is gone is old news.
            if self.wait(orders) {
                return;
            }
        }
    }

    /// The chosen device, or the system's choice instead of it.
    fn open_best(&mut self) -> Option<(Opened<End>, bool)> {
        let error = match (self.open)(self.chosen.as_deref()) {
            Ok(opened) => return Some((opened, false)),
            Err(error) => error,
        };
        self.tell(state_of(error.kind()));
        self.chosen.as_ref()?;
        (self.open)(None).ok().map(|opened| (opened, true))
    }

    fn use_it(&mut self, opened: Opened<End>, instead: bool, orders: &mpsc::Receiver<Order>) -> Ending<End> {
        let (mut opened, mut instead) = (opened, instead);
        loop {
            let Opened { _stream, ring, rate, name, gone } = opened;
            self.tell(DeviceState::Working { name, instead });
            let _ = self.news.send(News::Opened { ring, rate });
            match self.until_it_ends(instead, &gone, orders) {
                Ending::Better { opened: better, instead: still } => (opened, instead) = (better, still),
                Ending::Lost => {
                    self.tell(DeviceState::Lost);
                    return Ending::Lost;
                }
                Ending::Stop => return Ending::Stop,
            }
        }
    }

    fn until_it_ends(&self, instead: bool, gone: &dyn Fn() -> bool, orders: &mpsc::Receiver<Order>) -> Ending<End> {
        let mut again = false;
        loop {
            match orders.recv_timeout(self.look_after) {
                Ok(Order::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return Ending::Stop,
                Ok(Order::Lost) => return Ending::Lost,
                // A machine as busy as that may fail to open it; then it is tried again.
                Ok(Order::Again) => again = true,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if again && let Ok(opened) = (self.open)(self.chosen.as_deref().filter(|_| !instead)) {
                return Ending::Better { opened, instead };
            }
            if instead && let Ok(opened) = (self.open)(self.chosen.as_deref()) {
                return Ending::Better { opened, instead: false };
            }
            if gone() {
                return Ending::Lost;
            }
        }
    }

    /// Waits a moment before the next try; says whether to stop.
    fn wait(&self, orders: &mpsc::Receiver<Order>) -> bool {
        let nothing_works = !matches!(self.told, Some(DeviceState::Lost));
        let until = Instant::now() + if nothing_works { self.look_after } else { self.look_after / 10 };
        loop {
            match orders.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Order::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return true,
                Ok(Order::Lost | Order::Again) => {}
                Err(mpsc::RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    fn tell(&mut self, state: DeviceState) {
        if self.told.as_ref() != Some(&state) {
            let _ = self.news.send(News::State(state.clone()));
            self.told = Some(state);
        }
    }
}

fn state_of(kind: ErrorKind) -> DeviceState {
    match kind {
        ErrorKind::DeviceBusy => DeviceState::InUse,
        ErrorKind::PermissionDenied => DeviceState::NotPermitted,
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => DeviceState::Missing,
        _ => DeviceState::Broken,
    }
}

fn capture<T>(
    device: &cpal::Device,
    config: StreamConfig,
    mut ring: rtrb::Producer<f32>,
    orders: mpsc::Sender<Order>,
    waker: Thread,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels.max(1));
    let on_samples = move |samples: &[T], _: &cpal::InputCallbackInfo| {
        for frame in samples.chunks_exact(channels) {
            let sum: f32 = frame.iter().map(|sample| f32::from_sample(*sample)).sum();
            // A full ring means the voice thread sleeps; old sound is of no use then.
            let _ = ring.push(sum / channels as f32);
        }
        waker.unpark();
    };
    device.build_input_stream(config, on_samples, on_error(orders), Some(OPENING))
}

/// How a speaker is served, and who is told of it.
struct Served {
    orders: mpsc::Sender<Order>,
    starved: Arc<AtomicU64>,
    haste: Arc<Haste>,
    waker: Thread,
}

fn render<T>(
    device: &cpal::Device,
    config: StreamConfig,
    mut ring: rtrb::Consumer<f32>,
    served: Served,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample + FromSample<f32>,
{
    let Served { orders, starved, haste, waker } = served;
    let channels = usize::from(config.channels.max(1));
    let (mut watch, again) = (Watch::default(), orders.clone());
    let asked = match config.buffer_size {
        BufferSize::Fixed(samples) => samples,
        BufferSize::Default => PERIOD,
    };
    // Before the first sample there was nothing to give.
    let mut begun = false;
    let on_samples = move |samples: &mut [T], _: &cpal::OutputCallbackInfo| {
        let mut missing = 0;
        for frame in samples.chunks_mut(channels) {
            let sample = ring.pop().inspect(|_| begun = true).unwrap_or_else(|_| {
                missing += u64::from(begun);
                0.0
            });
            frame.fill(T::from_sample(sample.clamp(-1.0, 1.0)));
        }
        starved.fetch_add(missing, Ordering::Relaxed);
        waker.unpark();
        if watch.is_too_late(Instant::now(), samples.len() / channels, config.sample_rate) && haste.give_up(asked) {
            let _ = again.send(Order::Again);
        }
    };
    device.build_output_stream(config, on_samples, on_error(orders), Some(OPENING))
}

fn on_error(orders: mpsc::Sender<Order>) -> impl FnMut(cpal::Error) + Send + 'static {
    move |error| match error.kind() {
        ErrorKind::DeviceChanged | ErrorKind::Xrun | ErrorKind::RealtimeDenied => {}
        kind => {
            tracing::debug!(?kind, "a sound device was lost");
            let _ = orders.send(Order::Lost);
        }
    }
}

/// A device, how it is to be opened, and how to see that it is gone.
struct Chosen {
    device: cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    gone: Box<dyn Fn() -> bool>,
}

fn choose(id: Option<&str>, direction: Direction, period: impl Fn(&cpal::Host) -> u32) -> Result<Chosen, cpal::Error> {
    let missing = || cpal::Error::from(ErrorKind::DeviceNotAvailable);
    let (device, gone, period): (cpal::Device, Box<dyn Fn() -> bool>, u32) = match id {
        Some(id) => {
            let id: cpal::DeviceId = id.parse().map_err(|_| missing())?;
            let host = cpal::host_from_id(id.host())?;
            let period = period(&host);
            let device = host.device_by_id(&id).ok_or_else(missing)?;
            // A sound server may move a stream elsewhere without a word. Asking others costs too much.
            let asks = asks_cheaply(&host);
            (device, Box::new(move || asks && host.device_by_id(&id).is_none()), period)
        }
        None => {
            let host = cpal::default_host();
            let period = period(&host);
            let default = move |host: &cpal::Host| match direction {
                Direction::Input => host.default_input_device(),
                Direction::Output => host.default_output_device(),
            };
            let device = default(&host).ok_or_else(missing)?;
            let (asks, used) = (asks_cheaply(&host), device.id().ok());
            (device, Box::new(move || asks && default(&host).is_some_and(|now| now.id().ok() != used)), period)
        }
    };
    let supported = best_config(&device, direction)?;
    let buffer_size = match supported.buffer_size() {
        cpal::SupportedBufferSize::Range { min, max } if (*min..=*max).contains(&period) => BufferSize::Fixed(period),
        _ => BufferSize::Default,
    };
    let config = StreamConfig { channels: supported.channels(), sample_rate: supported.sample_rate(), buffer_size };
    Ok(Chosen { device, config, format: supported.sample_format(), gone })
}

fn asks_cheaply(host: &cpal::Host) -> bool {
    host.id().name() != "ALSA"
}

/// Prefers 48 kHz, then floats, then few channels; else what the device says itself.
fn best_config(device: &cpal::Device, direction: Direction) -> Result<cpal::SupportedStreamConfig, cpal::Error> {
    let ranges: Vec<_> = match direction {
        Direction::Input => device.supported_input_configs()?.collect(),
        Direction::Output => device.supported_output_configs()?.collect(),
    };
    let usable = |range: &cpal::SupportedStreamConfigRange| {
        (range.min_sample_rate()..=range.max_sample_rate()).contains(&SAMPLE_RATE)
    };
    let cost = |range: &cpal::SupportedStreamConfigRange| {
        let format = match range.sample_format() {
            SampleFormat::F32 => 0,
            SampleFormat::I16 => 1,
            SampleFormat::I32 => 2,
            SampleFormat::U16 => 3,
            _ => 100,
        };
        (format, range.channels())
    };
    let best = ranges.into_iter().filter(usable).min_by_key(cost).filter(|range| cost(range).0 < 100);
    match (best, direction) {
        (Some(range), _) => Ok(range.with_sample_rate(SAMPLE_RATE)),
        (None, Direction::Input) => device.default_input_config(),
        (None, Direction::Output) => device.default_output_config(),
    }
}

fn name(device: &cpal::Device) -> String {
    device.description().map(|description| description.name().to_owned()).unwrap_or_default()
}

/// The devices to choose from. Asks the system and may take a while: not for an async task.
pub(crate) fn list() -> Vec<DeviceInfo> {
    let host = cpal::default_host();
    let id_of = |device: cpal::Device| device.id().map(|id| id.to_string()).ok();
    let (default_input, default_output) =
        (host.default_input_device().and_then(id_of), host.default_output_device().and_then(id_of));
    let mut found = Vec::new();
    let mut add = |device: cpal::Device, direction, default: &Option<String>| {
        let Ok(id) = device.id().map(|id| id.to_string()) else {
            return;
        };
        let default = default.as_ref() == Some(&id);
        found.push(DeviceInfo { name: name(&device), id, direction, default });
    };
    for device in host.input_devices().into_iter().flatten().take(LISTED) {
        add(device, Direction::Input, &default_input);
    }
    for device in host.output_devices().into_iter().flatten().take(LISTED) {
        add(device, Direction::Output, &default_output);
    }
    found
}

#[cfg(test)]
#[path = "device_tests.rs"]
mod tests;
