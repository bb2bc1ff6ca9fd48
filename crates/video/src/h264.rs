//! H.264 by openh264: Cisco's own binary where it lies in one of the known places, or a build from source where that was chosen.
//!
//! Nothing is fetched from anywhere. A file is loaded only if it is one of the binaries that Cisco publishes, which the
//! `openh264` crate tells by their SHA-256. What comes from a peer is judged by [`crate::nal`] before the library sees it.

use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openh264::decoder::{DecoderConfig, Flush};
use openh264::encoder::{
    BitRate, Complexity, EncoderConfig, FrameRate, FrameType, Profile, QpRange, RateControlMode, SpsPpsStrategy,
    UsageType,
};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};
use openh264_sys2 as sys;

use crate::codec::{CodecError, Content, Encoded, MOST_BYTES};
use crate::nal;
use crate::picture::Picture;

/// Finest and coarsest.
const QUANTISERS: (u8, u8) = (12, 48);
/// The same of a screen: a coarser letter is not read.
const SCREEN_QUANTISERS: (u8, u8) = (10, 40);
/// Pictures in a second that rates are spread over.
const PICTURES: (f32, f32) = (1.0, 60.0);
/// The encoder is told of another number of pictures only if it is another by this part.
const OTHER_PICTURES: f32 = 0.2;
/// What a second may have at most when pictures change much, in percent of the rate. As much as the rate itself would make
/// the library send less.
const MOST_PERCENT: u64 = 150;
/// Files of a folder that are looked at.
const FILES: usize = 64;
/// A file that is longer is none of Cisco's, which have about 1 MiB.
const FILE_BYTES: u64 = 16 << 20;

/// The library. Clones are the same.
#[derive(Debug, Clone)]
pub struct Openh264 {
    origin: Origin,
}

#[derive(Debug, Clone)]
enum Origin {
    #[cfg(feature = "h264-source")]
    Source,
    File(Arc<Path>),
}

/// Why there is no H.264.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoH264 {
    /// No such file lies in any of the places.
    #[error("there is no openh264 library")]
    Nowhere,
    /// A file is none of the binaries that Cisco published for this version, or one of another system.
    #[error("the openh264 library is not one that is known")]
    Unknown,
}

impl Openh264 {
    /// Looks for the library in `places`: files, or folders with a file whose name has `openh264` in it.
    ///
    /// Where there is none, a build from source (feature `h264-source`) takes its own.
    pub fn find(places: &[PathBuf]) -> Result<Self, NoH264> {
        let found = Self::find_file(places);
        #[cfg(feature = "h264-source")]
        let found = found.or(Ok(Self { origin: Origin::Source }));
        found
    }

    fn find_file(places: &[PathBuf]) -> Result<Self, NoH264> {
        let mut why = NoH264::Nowhere;
        // As whole paths: a bare name would be judged here and looked for elsewhere by the loader.
        for path in places.iter().flat_map(|place| files(place)).filter_map(|path| path.canonicalize().ok()) {
            let found = Self { origin: Origin::File(path.into()) };
            if found.api().is_ok() {
                return Ok(found);
            }
            why = NoH264::Unknown;
        }
        Err(why)
    }

    /// Opens the library. The file is judged each time: another may lie there by now.
    fn api(&self) -> Result<OpenH264API, CodecError> {
        match &self.origin {
            #[cfg(feature = "h264-source")]
            Origin::Source => Ok(OpenH264API::from_source()),
            Origin::File(path) => {
                let length = std::fs::metadata(path).map_or(u64::MAX, |data| data.len());
                if length > FILE_BYTES {
                    return Err(CodecError::Open);
                }
                OpenH264API::from_blob_path(path.as_os_str()).map_err(|_| CodecError::Open)
            }
        }
    }
}

/// The file, or those of a folder that may be the library, in the order of their names.
fn files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let is_named = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
        path.is_file() && name.is_some_and(|name| name.contains("openh264"))
    };
    let entries = std::fs::read_dir(place).into_iter().flatten().take(FILES);
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_named).collect();
    files.sort();
    files
}

/// Encodes pictures of one size.
pub(crate) struct Encoder {
    library: Openh264,
    content: Content,
    size: (u32, u32),
    bits_per_second: u32,
    /// In milliseconds.
    time: f64,
    running: Option<Running>,
}

struct Running {
    encoder: openh264::encoder::Encoder,
    bits_per_second: u32,
    /// Above the rate, but for the first picture: the library begins with the rate itself.
    most: u32,
    pictures: f32,
}

impl Encoder {
    /// Opens an encoder for a size (even sides), at a rate in bits per second.
    pub(crate) fn of(
        library: &Openh264,
        content: Content,
        size: (u32, u32),
        bits_per_second: u32,
    ) -> Result<Self, CodecError> {
        Picture::black(size.0, size.1).map_err(|_| CodecError::Open)?;
        let (library, bits_per_second) = (library.clone(), within(bits_per_second));
        library.api()?;
        Ok(Self { library, content, size, bits_per_second, time: 0.0, running: None })
    }

    /// Changes the rate, from the next picture on.
    pub(crate) fn set_rate(&mut self, bits_per_second: u32) -> Result<(), CodecError> {
        self.bits_per_second = within(bits_per_second);
        Ok(())
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Encodes a picture that is shown for so many microseconds; none if it was left out to keep the rate.
    pub(crate) fn encode(
        &mut self,
        picture: &Picture,
        shown_us: u32,
        key: bool,
    ) -> Result<Option<Encoded>, CodecError> {
        let (width, height) = self.size;
        if (picture.width(), picture.height()) != self.size {
            return Err(CodecError::Encode);
        }
        let pictures = (1e6 / shown_us.max(1) as f32).clamp(PICTURES.0, PICTURES.1);
        let mut running = match self.running.take() {
            Some(running) => running.adjusted(self.bits_per_second, pictures)?,
            None => self.start(pictures)?,
        };
        if key {
            running.encoder.force_intra_frame();
        }
        // A whole number of milliseconds that never stands still.
        let at = Timestamp::from_millis(self.time as u64);
        self.time += f64::from(shown_us.max(1_000)) / 1_000.0;
        let stream = running.encoder.encode_at(&Planes(picture), at).map_err(|_| CodecError::Encode)?;
        let (frame_type, data) = (stream.frame_type(), stream.to_vec());
        self.running = Some(running);
        let key = frame_type == FrameType::IDR;
        let frame = Encoded { data: data.into(), key, width, height };
        Ok(Some(frame).filter(|frame| frame_type != FrameType::Skip && !frame.data.is_empty()))
    }

    fn start(&self, pictures: f32) -> Result<Running, CodecError> {
        let (usage, (finest, coarsest)) = match self.content {
            Content::Camera => (UsageType::CameraVideoRealTime, QUANTISERS),
            Content::Screen => (UsageType::ScreenContentRealTime, SCREEN_QUANTISERS),
        };
        let config = EncoderConfig::new()
            .usage_type(usage)
            .profile(Profile::Baseline)
            .bitrate(BitRate::from_bps(self.bits_per_second))
            .max_frame_rate(FrameRate::from_hz(pictures))
            // Pictures are left out rather than sent too late.
            .rate_control_mode(RateControlMode::Bitrate)
            .skip_frames(true)
            .qp(QpRange::new(finest, coarsest))
            // Each key frame has its parameters with it, always under the same number.
            .sps_pps_strategy(SpsPpsStrategy::ConstantId)
            .complexity(Complexity::Low)
            // Neither is made for screens.
            .adaptive_quantization(self.content == Content::Camera)
            .background_detection(self.content == Content::Camera)
            // A key frame costs many times what another does: it comes when it is asked for, and not at each movement.
            .scene_change_detect(false)
            .num_threads(1);
        let encoder = openh264::encoder::Encoder::with_api_config(self.library.api()?, config);
        let encoder = encoder.map_err(|_| CodecError::Open)?;
        Ok(Running { encoder, bits_per_second: self.bits_per_second, most: self.bits_per_second, pictures })
    }
}

impl Running {
    /// Tells the encoder of another rate, or of another number of pictures in a second.
    fn adjusted(mut self, bits_per_second: u32, pictures: f32) -> Result<Self, CodecError> {
        if (pictures - self.pictures).abs() > self.pictures * OTHER_PICTURES {
            self.pictures = pictures;
            self.set(sys::ENCODER_OPTION_FRAME_RATE, pictures)?;
        }
        let most = u32::try_from(u64::from(bits_per_second) * MOST_PERCENT / 100).map_err(|_| CodecError::Encode)?;
        if (bits_per_second, most) != (self.bits_per_second, self.most) {
            // The most of all layers together is not that of the one there is, which alone is looked at.
            let mut options = [
                (sys::ENCODER_OPTION_BITRATE, sys::SPATIAL_LAYER_ALL, bits_per_second),
                (sys::ENCODER_OPTION_MAX_BITRATE, sys::SPATIAL_LAYER_0, most),
            ];
            // At no moment may the rate be above the most.
            if most > self.most {
                options.reverse();
            }
            for (option, layer, rate) in options {
                let rate = i32::try_from(rate).map_err(|_| CodecError::Encode)?;
                self.set(option, sys::SBitrateInfo { iLayer: layer, iBitrate: rate })?;
            }
            (self.bits_per_second, self.most) = (bits_per_second, most);
        }
        Ok(self)
    }

    fn set<T>(&mut self, option: sys::ENCODER_OPTION, mut value: T) -> Result<(), CodecError> {
        // SAFETY: the encoder was initialised by its first picture; each option above takes a pointer to a value of the
        // type that it is given here, which the library copies.
        let done = unsafe { self.encoder.raw_api().set_option(option, (&raw mut value).cast::<c_void>()) };
        if done == 0 { Ok(()) } else { Err(CodecError::Encode) }
    }
}

/// A picture as the library reads it.
struct Planes<'a>(&'a Picture);

impl YUVSource for Planes<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.0.width() as usize, self.0.height() as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        let (width, _) = self.dimensions();
        (width, width / 2, width / 2)
    }

    fn y(&self) -> &[u8] {
        self.0.planes()[0]
    }

    fn u(&self) -> &[u8] {
        self.0.planes()[1]
    }

    fn v(&self) -> &[u8] {
        self.0.planes()[2]
    }
}

/// Decodes what a peer sends.
pub(crate) struct Decoder {
    decoder: openh264::decoder::Decoder,
    /// What comes can be built upon what came.
    whole: bool,
    /// The size that the last parameters gave.
    size: Option<(u32, u32)>,
}

impl Decoder {
    pub(crate) fn of(library: &Openh264) -> Result<Self, CodecError> {
        // Nothing that was agreed on is shown in another order than it is sent, so that no picture waits in there.
        let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        let decoder = openh264::decoder::Decoder::with_api_config(library.api()?, config);
        Ok(Self { decoder: decoder.map_err(|_| CodecError::Open)?, whole: false, size: None })
    }

    /// A frame is missing: nothing is decoded before the next key frame.
    pub(crate) fn miss(&mut self) {
        self.whole = false;
    }

    /// Decodes a frame of units with start codes; none if it is not to be shown.
    pub(crate) fn decode(&mut self, frame: &[u8]) -> Result<Option<Picture>, CodecError> {
        if frame.len() > MOST_BYTES {
            return Err(CodecError::Refused);
        }
        let judged = nal::judge(frame).map_err(|_| CodecError::Refused)?;
        self.size = judged.size.or(self.size);
        let Some(size) = self.size.filter(|_| self.whole || judged.key) else { return Err(CodecError::NeedsKey) };
        let picture = self.picture(&judged.data, size);
        self.whole = picture.is_ok();
        picture
    }

    fn picture(&mut self, data: &[u8], size: (u32, u32)) -> Result<Option<Picture>, CodecError> {
        let Some(shown) = self.decoder.decode(data).map_err(|_| CodecError::Damaged)? else { return Ok(None) };
        let side = |side: usize| u32::try_from(side).map_err(|_| CodecError::Damaged);
        let (width, height) = shown.dimensions();
        let (width, height) = (side(width)?, side(height)?);
        if (width, height) != size {
            return Err(CodecError::Damaged);
        }
        let (y, u, v) = shown.strides();
        let planes = [(shown.y(), y), (shown.u(), u), (shown.v(), v)];
        Picture::from_planes(width, height, planes).map(Some).map_err(|_| CodecError::Damaged)
    }
}

fn within(bits_per_second: u32) -> u32 {
    bits_per_second.clamp(10_000, 20_000_000)
}

#[cfg(test)]
#[path = "h264_tests.rs"]
mod tests;
