//! A camera that plays a YUV4MPEG2 file, again and again.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use y4m::{Colorspace, Decoder, Limits};

use crate::camera::{Camera, CameraError};
use crate::picture::{MOST_PIXELS, Picture};

/// Room for one picture of the largest size.
const LIMITS: Limits = Limits { bytes: MOST_PIXELS as usize * 3 / 2 };

pub(crate) struct Y4mFile {
    path: PathBuf,
    decoder: Decoder<BufReader<File>>,
    interval: Duration,
    /// Pictures since the file was opened last.
    played: u64,
}

impl Y4mFile {
    pub(crate) fn open(path: &Path) -> Result<Self, CameraError> {
        let file = File::open(path).map_err(|_| CameraError::NoCamera)?;
        let decoder = Decoder::new_with_limits(BufReader::new(file), LIMITS).map_err(|_| CameraError::Unusable)?;
        if !matches!(
            decoder.get_colorspace(),
            Colorspace::C420 | Colorspace::C420jpeg | Colorspace::C420paldv | Colorspace::C420mpeg2
        ) {
            return Err(CameraError::Unusable);
        }
        let rate = decoder.get_framerate();
        let seconds = rate.den as f64 / rate.num.max(1) as f64;
        let interval = Duration::from_secs_f64(seconds.clamp(1.0 / 60.0, 1.0));
        Ok(Self { path: path.to_owned(), decoder, interval, played: 0 })
    }
}

impl Camera for Y4mFile {
    fn name(&self) -> &str {
        "file"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn grab(&mut self) -> Result<Picture, CameraError> {
        let (width, height) = (self.decoder.get_width(), self.decoder.get_height());
        match self.decoder.read_frame() {
            Ok(frame) => {
                self.played += 1;
                let stride = width.div_ceil(2);
                let planes =
                    [(frame.get_y_plane(), width), (frame.get_u_plane(), stride), (frame.get_v_plane(), stride)];
                Picture::from_planes(width as u32 & !1, height as u32 & !1, planes).map_err(|_| CameraError::Unusable)
            }
            Err(y4m::Error::EOF) if self.played > 0 => {
                *self = Self::open(&self.path)?;
                self.grab()
            }
            Err(_) => Err(CameraError::Unusable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::{Counter, read_counter};

    #[test]
    fn a_file_is_played_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("three.y4m");
        let mut file = y4m::encode(64, 32, y4m::Ratio::new(30, 1)).write_header(File::create(&path).unwrap()).unwrap();
        for number in 5..8 {
            let picture = Counter::draw(64, 32, number).unwrap();
            file.write_frame(&y4m::Frame::new(picture.planes(), None)).unwrap();
        }
        drop(file);
        let mut camera = Y4mFile::open(&path).unwrap();
        let seen: Vec<_> = (0..5)
            .map(|_| {
                let picture = camera.grab().unwrap();
                read_counter(|x, y| picture.brightness(x, y))
            })
            .collect();
        assert_eq!(seen, [Some(5), Some(6), Some(7), Some(5), Some(6)]);
        assert_eq!(camera.interval().as_millis(), 33);
    }

    #[test]
    fn a_file_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Y4mFile::open(&path).and_then(|mut camera| camera.grab()).err()
        };
        assert_eq!(Y4mFile::open(Path::new("/nowhere.y4m")).err(), Some(CameraError::NoCamera));
        assert_eq!(open("text", b"hello\n"), Some(CameraError::Unusable));
        assert_eq!(open("empty", b"YUV4MPEG2 W64 H32 F30:1 C420\n"), Some(CameraError::Unusable));
        assert_eq!(open("huge", b"YUV4MPEG2 W60000 H60000 F30:1 C420\nFRAME\n"), Some(CameraError::Unusable));
        assert_eq!(open("other", b"YUV4MPEG2 W64 H32 F30:1 C444\nFRAME\n"), Some(CameraError::Unusable));
    }
}
