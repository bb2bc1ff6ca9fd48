//! One picture in I420, and how it is made, scaled and turned into other forms.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x4};
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use yuv::{
    BufferStoreMut, YuvConversionMode, YuvPackedImage, YuvPlanarImage, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
};

/// The longest side that is taken from anybody: Full HD with room for its block padding.
pub const MOST_SIDE: u32 = 1_920;
/// The most pixels that are taken from anybody.
pub const MOST_PIXELS: u32 = 1_920 * 1_088;

/// A picture of BT.601 limited range, its three planes one after the other without gaps.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

/// Why bytes are no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// A side is zero, odd, or longer than [`MOST_SIDE`]; or together more than [`MOST_PIXELS`].
    #[error("a picture of {width} x {height} is refused")]
    Size {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Fewer bytes than the size needs.
    #[error("a picture is shorter than its size")]
    Short,
    /// The converter refused.
    #[error("a picture could not be converted")]
    Convert,
}

impl Picture {
    /// A black picture.
    pub fn black(width: u32, height: u32) -> Result<Self, PictureError> {
        let (luma, chroma) = sizes(width, height)?;
        let mut data = vec![16; luma];
        data.resize(luma + 2 * chroma, 128);
        Ok(Self { width, height, data })
    }

    /// Takes three planes, each with its own stride (bytes from one row to the next).
    pub fn from_planes(width: u32, height: u32, planes: [(&[u8], usize); 3]) -> Result<Self, PictureError> {
        let mut picture = Self::black(width, height)?;
        let (luma, chroma) = sizes(width, height)?;
        let (wide, narrow) = (width as usize, width as usize / 2);
        let (y, rest) = picture.data.split_at_mut(luma);
        let (u, v) = rest.split_at_mut(chroma);
        for ((into, row), (from, stride)) in [(y, wide), (u, narrow), (v, narrow)].into_iter().zip(planes) {
            copy_rows(into, row, from, stride)?;
        }
        Ok(picture)
    }

    /// Converts pixels of three bytes, red first.
    pub fn from_rgb(width: u32, height: u32, rgb: &[u8]) -> Result<Self, PictureError> {
        Self::converted(width, height, rgb, 3, |planes| {
            let (range, matrix) = (YuvRange::Limited, YuvStandardMatrix::Bt601);
            yuv::rgb_to_yuv420(planes, rgb, width * 3, range, matrix, YuvConversionMode::Balanced)
        })
    }

    /// Converts pixels in pairs of four bytes (Y U Y V), what most cameras give.
    pub fn from_yuyv(width: u32, height: u32, yuyv: &[u8]) -> Result<Self, PictureError> {
        let packed = YuvPackedImage { yuy: yuyv, yuy_stride: width * 2, width, height };
        Self::converted(width, height, yuyv, 2, |planes| yuv::yuyv422_to_yuv420(planes, &packed))
    }

    /// Takes luma, and chroma in pairs after it (NV12), as some cameras give it.
    pub fn from_nv12(width: u32, height: u32, nv12: &[u8]) -> Result<Self, PictureError> {
        let mut picture = Self::black(width, height)?;
        let (luma, chroma) = sizes(width, height)?;
        let from = nv12.get(..luma + 2 * chroma).ok_or(PictureError::Short)?;
        picture.data[..luma].copy_from_slice(&from[..luma]);
        let (u, v) = picture.data[luma..].split_at_mut(chroma);
        for ((u, v), pair) in u.iter_mut().zip(v).zip(from[luma..].chunks_exact(2)) {
            (*u, *v) = (pair[0], pair[1]);
        }
        Ok(picture)
    }

    /// Converts the pixels of a screen (four bytes: blue, green, red, one without meaning), and makes them small enough
    /// for both sides of `most` and for the limits of a picture, without changing their proportions.
    pub fn from_screen(width: u32, height: u32, bgrx: &[u8], most: (u32, u32)) -> Result<Self, PictureError> {
        let refused = PictureError::Size { width, height };
        let pixels = width.checked_mul(height).filter(|pixels| *pixels > 0).ok_or(refused)?;
        if bgrx.len() < pixels as usize * 4 {
            return Err(PictureError::Short);
        }
        let (wide, high) = fitting(width, height, most).ok_or(refused)?;
        let (range, matrix, mode) = (YuvRange::Limited, YuvStandardMatrix::Bt601, YuvConversionMode::Balanced);
        if (wide, high) == (width / 2 * 2, height / 2 * 2) {
            // An odd column or row at the end is left out.
            return Self::converted(wide, high, bgrx, 4, |planes| {
                yuv::bgra_to_yuv420(planes, bgrx, width * 4, range, matrix, mode)
            });
        }
        let from = TypedImageRef::<U8x4>::from_buffer(width, height, bgrx).map_err(|_| PictureError::Short)?;
        let mut scaled = vec![0; wide as usize * high as usize * 4];
        let mut into = TypedImage::<U8x4>::from_buffer(wide, high, &mut scaled).map_err(|_| PictureError::Short)?;
        let alg = ResizeAlg::Convolution(FilterType::CatmullRom);
        let options = ResizeOptions::new().resize_alg(alg).use_alpha(false);
        Resizer::new().resize_typed(&from, &mut into, &options).map_err(|_| PictureError::Convert)?;
        Self::converted(wide, high, &scaled, 4, |planes| {
            yuv::bgra_to_yuv420(planes, &scaled, wide * 4, range, matrix, mode)
        })
    }

    fn converted(
        width: u32,
        height: u32,
        from: &[u8],
        pixel: usize,
        convert: impl FnOnce(&mut YuvPlanarImageMut<'_, u8>) -> Result<(), yuv::YuvError>,
    ) -> Result<Self, PictureError> {
        let mut picture = Self::black(width, height)?;
        let (luma, chroma) = sizes(width, height)?;
        if from.len() < luma * pixel {
            return Err(PictureError::Short);
        }
        let (y, rest) = picture.data.split_at_mut(luma);
        let (u, v) = rest.split_at_mut(chroma);
        let mut planes = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(y),
            y_stride: width,
            u_plane: BufferStoreMut::Borrowed(u),
            u_stride: width / 2,
            v_plane: BufferStoreMut::Borrowed(v),
            v_stride: width / 2,
            width,
            height,
        };
        convert(&mut planes).map_err(|_| PictureError::Convert)?;
        Ok(picture)
    }

    /// Pixels of four bytes: red, green, blue, opaque.
    pub fn to_rgba(&self) -> Result<Vec<u8>, PictureError> {
        let [y_plane, u_plane, v_plane] = self.planes();
        let (width, height) = (self.width, self.height);
        let planes = YuvPlanarImage {
            y_plane,
            y_stride: width,
            u_plane,
            u_stride: width / 2,
            v_plane,
            v_stride: width / 2,
            width,
            height,
        };
        let mut rgba = vec![255; y_plane.len() * 4];
        yuv::yuv420_to_rgba(&planes, &mut rgba, width * 4, YuvRange::Limited, YuvStandardMatrix::Bt601)
            .map_err(|_| PictureError::Convert)?;
        Ok(rgba)
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Luma and the two chroma planes.
    pub fn planes(&self) -> [&[u8]; 3] {
        let luma = self.width as usize * self.height as usize;
        let (y, rest) = self.data.split_at(luma);
        let (u, v) = rest.split_at(luma / 4);
        [y, u, v]
    }

    /// All planes, one after the other.
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    pub(crate) fn luma_mut(&mut self) -> &mut [u8] {
        let luma = self.width as usize * self.height as usize;
        &mut self.data[..luma]
    }

    /// How bright a place is, both coordinates from 0 to 1.
    pub fn brightness(&self, x: f32, y: f32) -> u8 {
        let at = |part: f32, length: u32| ((part.clamp(0.0, 1.0) * length as f32) as u32).min(length - 1) as usize;
        self.data[at(y, self.height) * self.width as usize + at(x, self.width)]
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} x {})", self.width, self.height)
    }
}

/// The bytes of a luma and of a chroma plane.
fn sizes(width: u32, height: u32) -> Result<(usize, usize), PictureError> {
    let fine = |side: u32| side > 0 && side.is_multiple_of(2) && side <= MOST_SIDE;
    if !fine(width) || !fine(height) || width * height > MOST_PIXELS {
        return Err(PictureError::Size { width, height });
    }
    let luma = width as usize * height as usize;
    Ok((luma, luma / 4))
}

/// The largest even size of the same proportions within `most` and the limits; none if a side would vanish.
pub fn fitting(width: u32, height: u32, most: (u32, u32)) -> Option<(u32, u32)> {
    let (wide, high) = (u64::from(width), u64::from(height));
    // As a fraction: the largest of the three that make it small enough, and of one.
    let mut scale = (1u64, 1u64);
    for (limit, side) in [(most.0.min(MOST_SIDE), wide), (most.1.min(MOST_SIDE), high)] {
        if u64::from(limit) * scale.1 < side * scale.0 {
            scale = (limit.into(), side);
        }
    }
    let even = |side: u64| u32::try_from(side * scale.0 / scale.1 / 2 * 2).ok().filter(|side| *side > 0);
    let (wide, high) = (even(wide)?, even(high)?);
    if wide * high <= MOST_PIXELS {
        return Some((wide, high));
    }
    // Both sides are allowed but not together, as of a square of the longest.
    let root = (f64::from(MOST_PIXELS) / (f64::from(wide) * f64::from(high))).sqrt();
    let even = |side: u32| ((f64::from(side) * root) as u32 / 2 * 2).max(2);
    Some((even(wide), even(high)))
}

fn copy_rows(into: &mut [u8], row: usize, from: &[u8], stride: usize) -> Result<(), PictureError> {
    if stride < row {
        return Err(PictureError::Short);
    }
    for (idx, into) in into.chunks_exact_mut(row).enumerate() {
        let from = from.get(idx * stride..idx * stride + row).ok_or(PictureError::Short)?;
        into.copy_from_slice(from);
    }
    Ok(())
}

/// Scales pictures; keeps its tables from one to the next.
#[derive(Default)]
pub struct Scaler {
    resizer: Resizer,
}

impl Scaler {
    /// Gives the picture in another size, stretched if its sides have other proportions.
    pub fn scale(&mut self, picture: &Picture, width: u32, height: u32) -> Result<Picture, PictureError> {
        if (picture.width, picture.height) == (width, height) {
            return Ok(picture.clone());
        }
        let mut scaled = Picture::black(width, height)?;
        let (luma, chroma) = sizes(width, height)?;
        let (y, rest) = scaled.data.split_at_mut(luma);
        let (u, v) = rest.split_at_mut(chroma);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        for (into, (from, half)) in [y, u, v].into_iter().zip(picture.planes().into_iter().zip([1, 2, 2])) {
            let from = TypedImageRef::<U8>::from_buffer(picture.width / half, picture.height / half, from)
                .map_err(|_| PictureError::Short)?;
            let mut into =
                TypedImage::<U8>::from_buffer(width / half, height / half, into).map_err(|_| PictureError::Short)?;
            // Typed, or the code for all other kinds of pixels is compiled as well.
            self.resizer.resize_typed(&from, &mut into, &options).map_err(|_| PictureError::Convert)?;
        }
        Ok(scaled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_a_forbidden_size_is_refused() {
        for (width, height) in [(0, 2), (2, 0), (3, 2), (2, 3), (1_922, 2), (2, 1_922), (1_920, 1_090)] {
            assert_eq!(Picture::black(width, height), Err(PictureError::Size { width, height }));
        }
        assert!(Picture::black(1_920, 1_080).is_ok());
    }

    #[test]
    fn planes_that_are_too_short_are_refused() {
        let plane = [0; 16];
        assert_eq!(Picture::from_planes(4, 4, [(&plane, 4), (&plane, 2), (&plane[..3], 2)]), Err(PictureError::Short));
        assert_eq!(Picture::from_planes(4, 4, [(&plane, 3), (&plane, 2), (&plane, 2)]), Err(PictureError::Short));
        assert_eq!(Picture::from_rgb(4, 4, &[0; 47]), Err(PictureError::Short));
        assert_eq!(Picture::from_yuyv(4, 4, &[0; 31]), Err(PictureError::Short));
    }

    #[test]
    fn colours_go_there_and_back() {
        for colour in [[200, 30, 30], [30, 200, 30], [30, 30, 200], [128, 128, 128]] {
            let rgb: Vec<u8> = colour.iter().copied().cycle().take(16 * 16 * 3).collect();
            let rgba = Picture::from_rgb(16, 16, &rgb).unwrap().to_rgba().unwrap();
            for (was, is) in colour.iter().zip(&rgba[4 * 100..]) {
                assert!(was.abs_diff(*is) <= 4, "{colour:?} became {:?}", &rgba[400..404]);
            }
        }
    }

    #[test]
    fn what_a_camera_gives_in_pairs_keeps_its_brightness() {
        let yuyv: Vec<u8> = [90, 128, 200, 128].into_iter().cycle().take(16 * 16 * 2).collect();
        let picture = Picture::from_yuyv(16, 16, &yuyv).unwrap();
        assert_eq!(&picture.planes()[0][..4], &[90, 200, 90, 200]);
        assert_eq!(picture.planes()[1][0], 128);
    }

    #[test]
    fn a_scaled_picture_shows_the_same() {
        let mut picture = Picture::black(64, 32).unwrap();
        picture.luma_mut().chunks_exact_mut(64).for_each(|row| row[32..].fill(200));
        let small = Scaler::default().scale(&picture, 32, 16).unwrap();
        assert_eq!((small.width(), small.height()), (32, 16));
        assert!(small.brightness(0.2, 0.5) < 30 && small.brightness(0.8, 0.5) > 180);
    }

    /// Red on the left, blue on the right.
    fn screen(width: u32, height: u32) -> Vec<u8> {
        let pixel = |x: u32| if x < width / 2 { [0, 0, 200, 0] } else { [200, 0, 0, 0] };
        (0..height).flat_map(|_| (0..width).flat_map(pixel)).collect()
    }

    #[test]
    fn a_screen_of_any_size_becomes_a_picture_of_its_proportions() {
        let most = (1_920, 1_080);
        for ((width, height), wanted) in [
            ((1_280, 720), (1_280, 720)),
            ((1_921, 1_081), (1_918, 1_080)),
            ((401, 123), (400, 122)),
            ((2, 2), (2, 2)),
            ((2_560, 1_440), (1_920, 1_080)),
            ((1_000, 3_000), (360, 1_080)),
            ((3_840, 2), (1_920, 0)),
        ] {
            let made = Picture::from_screen(width, height, &screen(width, height), most);
            if wanted.1 == 0 {
                assert_eq!(made, Err(PictureError::Size { width, height }), "nothing would be left of it");
                continue;
            }
            let made = made.unwrap();
            assert_eq!((made.width(), made.height()), wanted, "{width} x {height}");
            let rgba = made.to_rgba().unwrap();
            let at = |x: u32| &rgba[((made.height() / 2 * made.width() + x) * 4) as usize..][..3];
            let (left, right) = (at(0), at(made.width() - 1));
            assert!(
                made.width() < 8 || left[0] > 180 && left[2] < 30 && right[2] > 180 && right[0] < 30,
                "{left:?} {right:?}"
            );
        }
        assert!(Picture::from_screen(0, 5, &[], most).is_err());
        assert_eq!(Picture::from_screen(4, 4, &[0; 63], most), Err(PictureError::Short));
        assert!(Picture::from_screen(u32::MAX, u32::MAX, &[0; 63], most).is_err());
        let square = Picture::from_screen(2_000, 2_000, &screen(2_000, 2_000), (1_920, 1_920)).unwrap();
        assert!(square.width() * square.height() <= MOST_PIXELS && square.width() > 1_400);
    }
}
