//! The cameras of this machine, through nokhwa (V4L2, AVFoundation, Media Foundation).

use std::time::Duration;

use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};
use nokhwa::{Buffer, NokhwaError};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::camera::{Camera, CameraError, CameraInfo};
use crate::picture::{MOST_SIDE, Picture};

/// What we ask for; the device gives what is nearest.
const WANTED: (u32, u32, u32) = (1_280, 720, 30);
/// What we can read.
const FORMATS: &[FrameFormat] = &[FrameFormat::MJPEG, FrameFormat::YUYV, FrameFormat::NV12, FrameFormat::RAWRGB];

pub(crate) struct Device {
    name: String,
    camera: nokhwa::Camera,
}

pub(crate) fn list() -> Vec<CameraInfo> {
    let found = nokhwa::query(ApiBackend::Auto).unwrap_or_default();
    found.into_iter().map(|info| CameraInfo { id: id_of(info.index()), name: info.human_name() }).collect()
}

impl Device {
    /// Opens a camera by its id, or the first.
    pub(crate) fn open(id: Option<&str>) -> Result<Self, CameraError> {
        let found = nokhwa::query(ApiBackend::Auto).map_err(why)?;
        let info = found
            .into_iter()
            .find(|info| id.is_none_or(|id| id == id_of(info.index())))
            .ok_or(CameraError::NoCamera)?;
        let (width, height, rate) = WANTED;
        let nearest = CameraFormat::new(Resolution::new(width, height), FrameFormat::MJPEG, rate);
        let wanted = RequestedFormat::with_formats(RequestedFormatType::Closest(nearest), FORMATS);
        let mut camera = nokhwa::Camera::new(info.index().clone(), wanted).map_err(why)?;
        camera.open_stream().map_err(why)?;
        Ok(Self { name: info.human_name(), camera })
    }
}

impl Camera for Device {
    fn name(&self) -> &str {
        &self.name
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.camera.frame_rate().clamp(1, 60)
    }

    fn grab(&mut self) -> Result<Picture, CameraError> {
        let buffer = self.camera.frame().map_err(why)?;
        read(&buffer)
    }

    fn paces_itself(&self) -> bool {
        true
    }
}

fn read(buffer: &Buffer) -> Result<Picture, CameraError> {
    let (size, bytes) = (buffer.resolution(), buffer.buffer());
    let (width, height) = (size.width(), size.height());
    let picture = match buffer.source_frame_format() {
        FrameFormat::MJPEG => return read_jpeg(bytes),
        FrameFormat::YUYV => Picture::from_yuyv(width, height, bytes),
        FrameFormat::NV12 => Picture::from_nv12(width, height, bytes),
        FrameFormat::RAWRGB => Picture::from_rgb(width, height, bytes),
        _ => return Err(CameraError::Unusable),
    };
    picture.map_err(|_| CameraError::Unusable)
}

fn read_jpeg(bytes: &[u8]) -> Result<Picture, CameraError> {
    let options = DecoderOptions::default()
        .set_max_width(MOST_SIDE as usize)
        .set_max_height(MOST_SIDE as usize)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let rgb = decoder.decode().map_err(|_| CameraError::Unusable)?;
    let (width, height) = decoder.dimensions().ok_or(CameraError::Unusable)?;
    Picture::from_rgb(width as u32, height as u32, &rgb).map_err(|_| CameraError::Unusable)
}

fn id_of(index: &CameraIndex) -> String {
    index.as_string()
}

/// nokhwa passes on what the system said, in words only.
fn why(error: NokhwaError) -> CameraError {
    let text = error.to_string().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["busy", "os error 16", "in use"]) {
        CameraError::InUse
    } else if says(&["permission", "denied", "os error 13", "not authorized"]) {
        CameraError::NotPermitted
    } else if says(&["no such", "os error 2)", "os error 19", "not found"]) {
        CameraError::NoCamera
    } else {
        CameraError::Unusable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_becomes_a_reason() {
        let says = |words: &str| why(NokhwaError::OpenStreamError(words.to_owned()));
        assert_eq!(says("Device or resource busy (os error 16)"), CameraError::InUse);
        assert_eq!(says("Permission denied (os error 13)"), CameraError::NotPermitted);
        assert_eq!(says("No such device (os error 19)"), CameraError::NoCamera);
        assert_eq!(says("No such file or directory (os error 2)"), CameraError::NoCamera);
        assert_eq!(says("Invalid argument (os error 22)"), CameraError::Unusable);
    }

    #[test]
    fn a_broken_jpeg_is_no_picture() {
        assert_eq!(read_jpeg(&[0xff, 0xd8, 0xff, 0, 1, 2]).err(), Some(CameraError::Unusable));
        assert_eq!(read_jpeg(&[]).err(), Some(CameraError::Unusable));
    }
}
