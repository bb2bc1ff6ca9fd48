//! Where pictures come from, and why there may be none.

use std::path::PathBuf;
use std::time::Duration;

use crate::counter::Counter;
use crate::picture::Picture;
use crate::y4m_file::Y4mFile;

/// What gives pictures.
///
/// A camera is opened, used and dropped on one thread; dropping it lets go of the device.
pub trait Camera {
    /// What people call it.
    fn name(&self) -> &str;

    /// From one picture to the next.
    fn interval(&self) -> Duration;

    /// The next picture. A device waits for it; a file or a counter gives it at once.
    fn grab(&mut self) -> Result<Picture, CameraError>;

    /// Whether [`Self::grab`] itself waits for the time of the next picture.
    fn paces_itself(&self) -> bool {
        false
    }
}

/// Which camera.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CameraChoice {
    /// The first that the system names.
    #[default]
    Default,
    /// One by its stable id.
    Device(String),
    /// A YUV4MPEG2 file, again and again.
    Y4m(PathBuf),
    /// Pictures that carry their number.
    Counter {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// There is none.
    None,
}

impl CameraChoice {
    /// Reads `default`, `device:<id>`, `y4m:<path>`, `counter`, `counter:<width>x<height>` or `none`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "default" => Some(Self::Default),
            None if text == "none" => Some(Self::None),
            None if text == "counter" => Some(Self::Counter { width: 640, height: 360 }),
            Some(("device", id)) if !id.is_empty() => Some(Self::Device(id.to_owned())),
            Some(("y4m", path)) if !path.is_empty() => Some(Self::Y4m(path.into())),
            Some(("counter", size)) => {
                let (width, height) = size_of(size)?;
                Some(Self::Counter { width, height })
            }
            _ => None,
        }
    }
}

/// Reads `<width>x<height>`, if a picture may have that size.
pub fn size_of(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    let (width, height) = (width.parse().ok()?, height.parse().ok()?);
    Picture::black(width, height).ok()?;
    Some((width, height))
}

/// A camera of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraInfo {
    /// Stays the same when the machine starts again.
    pub id: String,
    /// What the system calls it.
    pub name: String,
}

/// Why a camera gives no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CameraError {
    /// There is none, or it went.
    #[error("there is no camera")]
    NoCamera,
    /// Another program has it.
    #[error("another program uses the camera")]
    InUse,
    /// The system does not let us.
    #[error("the system does not permit the camera")]
    NotPermitted,
    /// It gives nothing that we understand.
    #[error("the camera gives no usable picture")]
    Unusable,
}

impl CameraError {
    /// A word that stays the same.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoCamera => "no-camera",
            Self::InUse => "camera-in-use",
            Self::NotPermitted => "camera-not-permitted",
            Self::Unusable => "camera-unusable",
        }
    }
}

/// Opens a camera. May wait for a device.
pub fn open(choice: &CameraChoice) -> Result<Box<dyn Camera>, CameraError> {
    match choice {
        CameraChoice::None => Err(CameraError::NoCamera),
        CameraChoice::Counter { width, height } => Ok(Box::new(Counter::new(*width, *height, 30)?)),
        CameraChoice::Y4m(path) => Ok(Box::new(Y4mFile::open(path)?)),
        CameraChoice::Default => open_device(None),
        CameraChoice::Device(id) => open_device(Some(id)),
    }
}

/// The cameras of this machine. May take a moment.
pub fn cameras() -> Vec<CameraInfo> {
    #[cfg(feature = "camera")]
    return crate::device::list();
    #[cfg(not(feature = "camera"))]
    Vec::new()
}

#[cfg(feature = "camera")]
fn open_device(id: Option<&str>) -> Result<Box<dyn Camera>, CameraError> {
    Ok(Box::new(crate::device::Device::open(id)?))
}

#[cfg(not(feature = "camera"))]
fn open_device(_id: Option<&str>) -> Result<Box<dyn Camera>, CameraError> {
    Err(CameraError::NoCamera)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_and_a_typing_error_is_told() {
        assert_eq!(CameraChoice::parse("default"), Some(CameraChoice::Default));
        assert_eq!(CameraChoice::parse("none"), Some(CameraChoice::None));
        assert_eq!(CameraChoice::parse("device:/dev/video0"), Some(CameraChoice::Device("/dev/video0".into())));
        assert_eq!(CameraChoice::parse("y4m:/tmp/a.y4m"), Some(CameraChoice::Y4m("/tmp/a.y4m".into())));
        let counter = CameraChoice::Counter { width: 640, height: 360 };
        assert_eq!(CameraChoice::parse("counter:640x360"), Some(counter.clone()));
        assert_eq!(CameraChoice::parse("counter"), Some(counter));
        for text in
            ["", "camera", "device:", "y4m:", "counter:640", "counter:641x360", "counter:0x0", "counter:99999x2"]
        {
            assert_eq!(CameraChoice::parse(text), None, "{text}");
        }
    }

    #[test]
    fn without_a_camera_one_is_told_so() {
        assert_eq!(open(&CameraChoice::None).err(), Some(CameraError::NoCamera));
        let nowhere = CameraChoice::Device("/dev/video-that-is-not-there".into());
        assert_eq!(open(&nowhere).err(), Some(CameraError::NoCamera));
    }
}
