//! Receives the pictures of one PipeWire stream, on a thread of its own that runs the library's loop.
//!
//! The loop may not be left while the stream is there: the library's other thread would call us itself then. Only memory that both
//! sides map is taken; pictures that lie in a graphics card would need its driver.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use pipewire as pw;
use pw::spa::buffer::meta::{MetaHeader, MetaHeaderFlags, MetaVideoCrop};
use pw::spa::buffer::{ChunkFlags, DataType};
use pw::spa::param::ParamType;
use pw::spa::param::format::{FormatProperties, MediaSubtype, MediaType};
use pw::spa::param::format_utils::parse_format;
use pw::spa::param::video::{VideoFormat, VideoInfoRaw};
use pw::spa::pod::serialize::PodSerializer;
use pw::spa::pod::{ChoiceValue, Object, Pod, Property, Value, object, property};
use pw::spa::utils::{Choice, ChoiceEnum, ChoiceFlags, Direction, Fraction, Id, Rectangle, SpaTypes};
use pw::stream::{StreamFlags, StreamRc, StreamState};

use super::frame::{Format, Order, Part, Place};
use crate::error::ScreenError;
use crate::shot::Shot;

/// What we are called among PipeWire's nodes.
const NAME: &str = "parlance-screen";
/// Pictures a second that we ask for at most; the desktop sends fewer when nothing changes.
const RATE: u32 = 15;
/// The longest side that we can do something with.
const SIDE: u32 = 16_384;

/// One stream, as long as it is there.
pub(super) struct Stream {
    seen: Arc<Mutex<Seen>>,
    stop: pw::channel::Sender<Stop>,
    thread: Option<JoinHandle<()>>,
}

/// Nobody looks any more.
struct Stop;

/// What came since the last look.
#[derive(Default)]
struct Seen {
    shot: Option<Result<Shot, ScreenError>>,
    end: Option<ScreenError>,
}

impl Stream {
    /// Joins a stream by its number, over a connection that somebody else opened.
    pub(super) fn open(remote: OwnedFd, node: u32) -> Result<Self, ScreenError> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (stop, stopped) = pw::channel::channel();
        let hearing = Hearing { format: None, seen: Arc::clone(&seen) };
        let work = move || {
            let seen = Arc::clone(&hearing.seen);
            if let Err(error) = receive(remote, node, hearing, stopped) {
                tracing::debug!(%error, "PipeWire refuses");
                seen_in(&seen).end(ScreenError::NoPipeWire);
            }
        };
        let thread = std::thread::Builder::new().name("screen-stream".to_owned()).spawn(work);
        Ok(Self { seen, stop, thread: Some(thread.map_err(|_| ScreenError::Unusable)?) })
    }

    /// The last picture that came since this was called before; none if none did.
    pub(super) fn newest(&self) -> Result<Option<Shot>, ScreenError> {
        let mut seen = seen_in(&self.seen);
        match seen.end {
            Some(end) => Err(end),
            None => seen.shot.take().transpose(),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let is_told = self.stop.send(Stop).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| is_told) {
            let _ = thread.join();
        }
    }
}

impl Seen {
    /// The first reason counts; the others follow from it.
    fn end(&mut self, why: ScreenError) {
        self.end.get_or_insert(why);
    }
}

fn seen_in(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs until it is stopped; what ends earlier only says so.
fn receive(
    remote: OwnedFd,
    node: u32,
    hearing: Hearing,
    stopped: pw::channel::Receiver<Stop>,
) -> Result<(), pw::Error> {
    pw::init();
    let main_loop = pw::main_loop::MainLoopRc::new(None)?;
    let context = pw::context::ContextRc::new(&main_loop, None)?;
    let core = context.connect_fd_rc(remote, None)?;
    let lost = Arc::clone(&hearing.seen);
    let troubles = core.add_listener_local().error(move |id, _, code, _| {
        tracing::debug!(id, code, "PipeWire says that something is wrong");
        // Of the connection itself; what is wrong with a stream, the stream says.
        if id == pw::core::PW_ID_CORE {
            seen_in(&lost).end(ScreenError::NoPipeWire);
        }
    });
    let _troubles = troubles.register();
    let properties = pw::properties::properties! {
        *pw::keys::MEDIA_TYPE => "Video",
        *pw::keys::MEDIA_CATEGORY => "Capture",
        *pw::keys::MEDIA_ROLE => "Screen",
        *pw::keys::NODE_NAME => NAME,
        // If it goes, it is gone: nothing else may be shown in its place.
        *pw::keys::NODE_DONT_RECONNECT => "true",
    };
    let stream = StreamRc::new(core, NAME, properties)?;
    let _heard = stream
        .add_local_listener_with_user_data(hearing)
        .state_changed(|_, hearing, before, now| hearing.on_state(&before, &now))
        .param_changed(|stream, hearing, id, param| {
            if id == ParamType::Format.as_raw() {
                hearing.on_format(stream, param);
            }
        })
        .process(|stream, hearing| hearing.on_pictures(stream))
        .register()?;
    let (over, quit) = (stream.clone(), main_loop.clone());
    let _stopped = stopped.attach(main_loop.loop_(), move |Stop| {
        // Before the loop is left: after this nobody calls us.
        let _ = over.disconnect();
        quit.quit();
    });
    let wanted = bytes_of(&formats_wanted())?;
    let mut wanted: Vec<&Pod> = Pod::from_bytes(&wanted).into_iter().collect();
    let flags = StreamFlags::AUTOCONNECT | StreamFlags::MAP_BUFFERS;
    stream.connect(Direction::Input, Some(node), flags, &mut wanted)?;
    main_loop.run();
    Ok(())
}

/// Whom the library calls.
struct Hearing {
    /// What was agreed on; none before, and between one agreement and the next.
    format: Option<Format>,
    seen: Arc<Mutex<Seen>>,
}

impl Hearing {
    fn on_state(&self, before: &StreamState, now: &StreamState) {
        tracing::debug!(?before, ?now, "a screen's stream");
        match now {
            StreamState::Error(_) => seen_in(&self.seen).end(ScreenError::Gone),
            StreamState::Unconnected if *before != StreamState::Unconnected => {
                seen_in(&self.seen).end(ScreenError::Gone);
            }
            _ => {}
        }
    }

    /// Both sides agreed on another format, or on none for now.
    fn on_format(&mut self, stream: &pw::stream::Stream, param: Option<&Pod>) {
        self.format = None;
        let Some(param) = param else { return };
        let format = format_of(param);
        let told: Result<Vec<Vec<u8>>, pw::Error> = buffers_wanted().iter().map(bytes_of).collect();
        let is_told = told.is_ok_and(|told| {
            let mut told: Vec<&Pod> = told.iter().filter_map(|bytes| Pod::from_bytes(bytes)).collect();
            stream.update_params(&mut told).is_ok()
        });
        match format {
            Ok(format) if is_told => self.format = Some(format),
            _ => seen_in(&self.seen).end(ScreenError::Unusable),
        }
    }

    /// Takes what waits; only the last picture is of use, and every buffer goes back.
    fn on_pictures(&self, stream: &pw::stream::Stream) {
        let mut last = None;
        while let Some(buffer) = stream.dequeue_buffer() {
            last = Some(buffer);
        }
        let (Some(mut buffer), Some(format)) = (last, self.format) else { return };
        if let Some(shot) = picture_in(&mut buffer, format) {
            seen_in(&self.seen).shot = Some(shot);
        }
    }
}

fn format_of(param: &Pod) -> Result<Format, ScreenError> {
    let kind = parse_format(param).map_err(|_| ScreenError::Unusable)?;
    let mut info = VideoInfoRaw::new();
    if kind != (MediaType::Video, MediaSubtype::Raw) || info.parse(param).is_err() {
        return Err(ScreenError::Unusable);
    }
    let order = match info.format() {
        VideoFormat::BGRx | VideoFormat::BGRA => Order::Bgr,
        VideoFormat::RGBx | VideoFormat::RGBA => Order::Rgb,
        _ => return Err(ScreenError::Unusable),
    };
    Format::new(order, info.size().width, info.size().height)
}

/// The picture in a buffer; none if its writer says that there is none.
fn picture_in(buffer: &mut pw::buffer::Buffer<'_>, format: Format) -> Option<Result<Shot, ScreenError>> {
    let is_broken =
        buffer.find_meta::<MetaHeader>().is_some_and(|header| header.flags().contains(MetaHeaderFlags::CORRUPTED));
    let part = buffer.find_meta::<MetaVideoCrop>().map(|crop| {
        let (from, size) = (crop.meta_region().position(), crop.meta_region().size());
        Part { x: from.x, y: from.y, width: size.width, height: size.height }
    });
    let data = buffer.datas_mut().first_mut()?;
    let chunk = data.chunk();
    // Nothing but the pointer moved, as some desktops say it.
    if is_broken || chunk.size() == 0 || chunk.flags().contains(ChunkFlags::CORRUPTED) {
        return None;
    }
    let place = Place { offset: chunk.offset(), stride: chunk.stride() };
    let is_mapped = matches!(data.type_(), DataType::MemPtr | DataType::MemFd);
    let bytes = data.data().filter(|_| is_mapped);
    Some(bytes.map_or(Err(ScreenError::Unusable), |bytes| format.shot(bytes, place, part)))
}

/// What we can read, and how often we like to.
fn formats_wanted() -> Object {
    object!(
        SpaTypes::ObjectParamFormat,
        ParamType::EnumFormat,
        property!(FormatProperties::MediaType, Id, MediaType::Video),
        property!(FormatProperties::MediaSubtype, Id, MediaSubtype::Raw),
        property!(
            FormatProperties::VideoFormat,
            Choice,
            Enum,
            Id,
            VideoFormat::BGRx,
            VideoFormat::BGRx,
            VideoFormat::RGBx,
            VideoFormat::BGRA,
            VideoFormat::RGBA,
        ),
        property!(
            FormatProperties::VideoSize,
            Choice,
            Range,
            Rectangle,
            Rectangle { width: 1_920, height: 1_080 },
            Rectangle { width: 1, height: 1 },
            Rectangle { width: SIDE, height: SIDE }
        ),
        property!(
            FormatProperties::VideoFramerate,
            Choice,
            Range,
            Fraction,
            Fraction { num: RATE, denom: 1 },
            Fraction { num: 0, denom: 1 },
            Fraction { num: 120, denom: 1 }
        ),
        property!(
            FormatProperties::VideoMaxFramerate,
            Choice,
            Range,
            Fraction,
            Fraction { num: RATE, denom: 1 },
            Fraction { num: 1, denom: 1 },
            Fraction { num: 120, denom: 1 }
        ),
    )
}

/// Memory that both sides map, and beside each picture which part of it is meant.
fn buffers_wanted() -> [Object; 3] {
    let mapped = (1 << DataType::MemPtr.as_raw()) | (1 << DataType::MemFd.as_raw());
    let types = Value::Choice(ChoiceValue::Int(Choice(
        ChoiceFlags::empty(),
        ChoiceEnum::Flags { default: mapped, flags: vec![mapped] },
    )));
    let buffers = Object {
        type_: SpaTypes::ObjectParamBuffers.as_raw(),
        id: ParamType::Buffers.as_raw(),
        properties: vec![Property::new(pw::spa::sys::SPA_PARAM_BUFFERS_dataType, types)],
    };
    let meta = |kind: u32, size: usize| Object {
        type_: SpaTypes::ObjectParamMeta.as_raw(),
        id: ParamType::Meta.as_raw(),
        properties: vec![
            Property::new(pw::spa::sys::SPA_PARAM_META_type, Value::Id(Id(kind))),
            Property::new(pw::spa::sys::SPA_PARAM_META_size, Value::Int(size as i32)),
        ],
    };
    [
        buffers,
        meta(pw::spa::sys::SPA_META_Header, size_of::<MetaHeader>()),
        meta(pw::spa::sys::SPA_META_VideoCrop, size_of::<MetaVideoCrop>()),
    ]
}

fn bytes_of(object: &Object) -> Result<Vec<u8>, pw::Error> {
    let out = std::io::Cursor::new(Vec::new());
    let written = PodSerializer::serialize(out, &Value::Object(object.clone()));
    written.map(|(out, _)| out.into_inner()).map_err(|_| pw::Error::CreationFailed)
}
