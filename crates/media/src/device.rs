//! Sound devices: opening them, keeping them open, and passing samples without ever waiting.
//!
//! Each device in use has a thread that owns its stream, because streams may not change
//! threads. The audio callback only touches a lock-free ring. When a device is lost the
//! thread tries again each second; the voice thread keeps time by itself meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, FromSample, Sample, SampleFormat, SizedSample, StreamConfig};
use serde::{Deserialize, Serialize};

use crate::SAMPLE_RATE;
use crate::usage::{Held, Usage};

/// Samples a ring holds: 400 ms at 48 kHz, far more than should ever wait.
const RING: usize = 19_200;
/// What we ask a device to give or take at once: 10 ms.
const PERIOD: u32 = 480;
/// How long we wait before trying a lost device again.
const RETRY: Duration = Duration::from_secs(1);
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
    },
    /// There is none.
    Missing,
    /// Another program holds it.
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
}

pub(crate) fn microphone(id: Option<String>, usage: &Arc<Usage>) -> DeviceThread<rtrb::Consumer<f32>> {
    // Whoever opens a device wants to know when it has moved.
    let waker = std::thread::current();
    DeviceThread::start("voice-in", usage, move |orders, _| {
        let waker = waker.clone();
        let (device, config, format) = choose(id.as_deref(), Direction::Input)?;
        let (producer, consumer) = rtrb::RingBuffer::new(RING);
        let stream = match format {
            SampleFormat::F32 => capture::<f32>(&device, config, producer, orders, waker),
            SampleFormat::I16 => capture::<i16>(&device, config, producer, orders, waker),
            SampleFormat::I32 => capture::<i32>(&device, config, producer, orders, waker),
            SampleFormat::U16 => capture::<u16>(&device, config, producer, orders, waker),
            _ => Err(ErrorKind::UnsupportedConfig.into()),
        }?;
        stream.play()?;
        Ok(Opened { _stream: stream, ring: consumer, rate: config.sample_rate, name: name(&device) })
    })
}

pub(crate) fn speaker(id: Option<String>, usage: &Arc<Usage>) -> DeviceThread<rtrb::Producer<f32>> {
    let waker = std::thread::current();
    DeviceThread::start("voice-out", usage, move |orders, starved| {
        let waker = waker.clone();
        let (device, config, format) = choose(id.as_deref(), Direction::Output)?;
        let (producer, consumer) = rtrb::RingBuffer::new(RING);
        let stream = match format {
            SampleFormat::F32 => render::<f32>(&device, config, consumer, orders, starved, waker),
            SampleFormat::I16 => render::<i16>(&device, config, consumer, orders, starved, waker),
            SampleFormat::I32 => render::<i32>(&device, config, consumer, orders, starved, waker),
            SampleFormat::U16 => render::<u16>(&device, config, consumer, orders, starved, waker),
            _ => Err(ErrorKind::UnsupportedConfig.into()),
        }?;
        stream.play()?;
        Ok(Opened { _stream: stream, ring: producer, rate: config.sample_rate, name: name(&device) })
    })
}

struct Opened<End> {
    _stream: cpal::Stream,
    ring: End,
    rate: u32,
    name: String,
}

impl<End: Send + 'static> DeviceThread<End> {
    fn start<Open>(thread_name: &str, usage: &Arc<Usage>, open: Open) -> Self
    where
        Open: Fn(mpsc::Sender<Order>, Arc<AtomicU64>) -> Result<Opened<End>, cpal::Error> + Send + 'static,
    {
        let (news_out, news) = mpsc::channel();
        let (orders, orders_in) = mpsc::channel();
        let starved = Arc::new(AtomicU64::new(0));
        let hold = usage.hold(Held::Thread);
        let work = {
            let (orders, starved) = (orders.clone(), Arc::clone(&starved));
            move || {
                let _hold = hold;
                keep_open(&open, &news_out, &orders, &orders_in, &starved);
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

/// Opens the device, waits until it is lost or not needed, and begins again.
fn keep_open<End>(
    open: &impl Fn(mpsc::Sender<Order>, Arc<AtomicU64>) -> Result<Opened<End>, cpal::Error>,
    news: &mpsc::Sender<News<End>>,
    orders_out: &mpsc::Sender<Order>,
    orders: &mpsc::Receiver<Order>,
    starved: &Arc<AtomicU64>,
) {
    let mut told = None;
    let mut tell = |state: DeviceState| {
        if told.as_ref() != Some(&state) {
            let _ = news.send(News::State(state.clone()));
            told = Some(state);
        }
    };
    loop {
        match open(orders_out.clone(), Arc::clone(starved)) {
            Ok(opened) => {
                let Opened { _stream, ring, rate, name } = opened;
                tell(DeviceState::Working { name });
                let _ = news.send(News::Opened { ring, rate });
                match orders.recv() {
                    Ok(Order::Stop) | Err(_) => return,
                    Ok(Order::Lost) => tell(DeviceState::Lost),
                }
            }
            Err(error) => tell(state_of(error.kind())),
        }
        // What was said about a stream that is gone is old news.
        loop {
            match orders.recv_timeout(RETRY) {
                Ok(Order::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Ok(Order::Lost) => {}
                Err(mpsc::RecvTimeoutError::Timeout) => break,
            }
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

fn render<T>(
    device: &cpal::Device,
    config: StreamConfig,
    mut ring: rtrb::Consumer<f32>,
    orders: mpsc::Sender<Order>,
    starved: Arc<AtomicU64>,
    waker: Thread,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample + FromSample<f32>,
{
    let channels = usize::from(config.channels.max(1));
    let on_samples = move |samples: &mut [T], _: &cpal::OutputCallbackInfo| {
        let mut missing = 0;
        for frame in samples.chunks_mut(channels) {
            let sample = ring.pop().unwrap_or_else(|_| {
                missing += 1;
                0.0
            });
            frame.fill(T::from_sample(sample.clamp(-1.0, 1.0)));
        }
        starved.fetch_add(missing, Ordering::Relaxed);
        waker.unpark();
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

fn choose(id: Option<&str>, direction: Direction) -> Result<(cpal::Device, StreamConfig, SampleFormat), cpal::Error> {
    let missing = || cpal::Error::from(ErrorKind::DeviceNotAvailable);
    let device = match id {
        Some(id) => {
            let id: cpal::DeviceId = id.parse().map_err(|_| missing())?;
            cpal::host_from_id(id.host())?.device_by_id(&id).ok_or_else(missing)?
        }
        None => {
            let host = cpal::default_host();
            let device = match direction {
                Direction::Input => host.default_input_device(),
                Direction::Output => host.default_output_device(),
            };
            device.ok_or_else(missing)?
        }
    };
    let supported = best_config(&device, direction)?;
    let buffer_size = match supported.buffer_size() {
        cpal::SupportedBufferSize::Range { min, max } if (*min..=*max).contains(&PERIOD) => BufferSize::Fixed(PERIOD),
        _ => BufferSize::Default,
    };
    let config = StreamConfig { channels: supported.channels(), sample_rate: supported.sample_rate(), buffer_size };
    Ok((device, config, supported.sample_format()))
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
