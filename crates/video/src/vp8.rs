//! VP8 by the system's libvpx: a small safe hull around the parts that a call needs.
//!
//! A context is owned by one value, is never shared between threads,
//! and is destroyed once. What the library hands out is copied before it is called again.

use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use bytes::Bytes;
use vpx_sys as vpx;

use crate::codec::{CodecError, Content, Encoded, MOST_BYTES};
use crate::picture::{MOST_PIXELS, MOST_SIDE, Picture};

/// Pictures are stamped in the clock of RTP's video.
const CLOCK: i32 = 90_000;
/// Faster and coarser, as the real-time uses of libvpx go (-16 to 16, negative: a part of the time of a picture).
const SPEED: i32 = -8;
/// A static part of the scene is not encoded again.
const STATIC: i32 = 1;
/// Finest and coarsest.
const QUANTISERS: (u32, u32) = (4, 56);
/// The same of a screen: a coarser letter is not read.
const SCREEN_QUANTISERS: (u32, u32) = (2, 42);
/// libvpx looks for text and flat areas then.
const SCREEN_CONTENT: i32 = 1;
/// What the head of a VP8 frame says (RFC 6386, 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// A key frame of a size.
    Key {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// It builds upon others.
    Delta,
}

/// Reads the head of a frame, without any library; sizes beyond the limits are refused.
pub fn header(frame: &[u8]) -> Result<Header, CodecError> {
    if frame.len() > MOST_BYTES || frame.len() < 3 {
        return Err(CodecError::Refused);
    }
    if frame[0] & 1 == 1 {
        return Ok(Header::Delta);
    }
    let (Some([0x9d, 0x01, 0x2a]), Some(size)) = (frame.get(3..6), frame.get(6..10)) else {
        return Err(CodecError::Refused);
    };
    // The two highest bits of each are a wish for scaling, which nobody uses.
    let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    let (width, height) = (side(size[0], size[1]), side(size[2], size[3]));
    let fine = |side: u32| side > 0 && side.is_multiple_of(2) && side <= MOST_SIDE;
    if !fine(width) || !fine(height) || width * height > MOST_PIXELS {
        return Err(CodecError::Refused);
    }
    Ok(Header::Key { width, height })
}

/// Encodes pictures of one size.
pub struct Encoder {
    context: Box<vpx::vpx_codec_ctx_t>,
    config: vpx::vpx_codec_enc_cfg_t,
    /// In [`CLOCK`].
    time: i64,
}

// SAFETY: libvpx binds a context to no thread; `&mut self` keeps two threads from using it at once.
unsafe impl Send for Encoder {}

impl Encoder {
    /// Opens an encoder for a size (even sides), at a rate in bits per second, with so many threads.
    pub fn of(
        content: Content,
        (width, height): (u32, u32),
        bits_per_second: u32,
        threads: u32,
    ) -> Result<Self, CodecError> {
        Picture::black(width, height).map_err(|_| CodecError::Open)?;
        let mut config = MaybeUninit::zeroed();
        // SAFETY: the interface is static; the configuration is written before it is read, which the result tells.
        let mut config: vpx::vpx_codec_enc_cfg_t = unsafe {
            done(vpx::vpx_codec_enc_config_default(vpx::vpx_codec_vp8_cx(), config.as_mut_ptr(), 0), CodecError::Open)?;
            config.assume_init()
        };
        config.g_w = width;
        config.g_h = height;
        config.g_timebase = vpx::vpx_rational { num: 1, den: CLOCK };
        config.g_threads = threads.clamp(1, 8);
        config.g_pass = vpx::vpx_enc_pass::VPX_RC_ONE_PASS;
        config.g_lag_in_frames = 0;
        // A lost picture must not spoil the probabilities of those after it.
        config.g_error_resilient = 1;
        config.rc_end_usage = vpx::vpx_rc_mode::VPX_CBR;
        config.rc_target_bitrate = kilobits(bits_per_second);
        (config.rc_min_quantizer, config.rc_max_quantizer) = QUANTISERS;
        config.rc_undershoot_pct = 95;
        config.rc_overshoot_pct = 15;
        (config.rc_buf_initial_sz, config.rc_buf_optimal_sz, config.rc_buf_sz) = (300, 400, 600);
        if content == Content::Screen {
            (config.rc_min_quantizer, config.rc_max_quantizer) = SCREEN_QUANTISERS;
            // A page that is turned is one large picture and then nothing.
            (config.rc_buf_initial_sz, config.rc_buf_optimal_sz, config.rc_buf_sz) = (600, 800, 1_500);
        }
        // Pictures are left out rather than sent too late.
        config.rc_dropframe_thresh = 30;
        config.rc_resize_allowed = 0;
        // Only when we ask, or when the scene changes wholly.
        config.kf_mode = vpx::vpx_kf_mode::VPX_KF_AUTO;
        config.kf_min_dist = 0;
        config.kf_max_dist = 3_000;
        // SAFETY: all zeroes is how a context begins.
        let mut context: Box<vpx::vpx_codec_ctx_t> = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        let version = vpx::VPX_ENCODER_ABI_VERSION as i32;
        // SAFETY: the context is zeroed and stays where it is; the configuration is copied.
        unsafe {
            let opened = vpx::vpx_codec_enc_init_ver(&mut *context, vpx::vpx_codec_vp8_cx(), &config, 0, version);
            done(opened, CodecError::Open)?;
        }
        let mut encoder = Self { context, config, time: 0 };
        encoder.control(vpx::vp8e_enc_control_id::VP8E_SET_CPUUSED, SPEED)?;
        encoder.control(vpx::vp8e_enc_control_id::VP8E_SET_STATIC_THRESHOLD, STATIC)?;
        if content == Content::Screen {
            encoder.control(vpx::vp8e_enc_control_id::VP8E_SET_SCREEN_CONTENT_MODE, SCREEN_CONTENT)?;
        }
        Ok(encoder)
    }

    fn control(&mut self, what: vpx::vp8e_enc_control_id, value: i32) -> Result<(), CodecError> {
        // SAFETY: all controls that are used take one `int`; the context is open.
        done(unsafe { vpx::vpx_codec_control_(&mut *self.context, what as i32, value) }, CodecError::Open)
    }

    /// Changes the rate, from the next picture on.
    pub fn set_rate(&mut self, bits_per_second: u32) -> Result<(), CodecError> {
        let wanted = kilobits(bits_per_second);
        if wanted == self.config.rc_target_bitrate {
            return Ok(());
        }
        self.config.rc_target_bitrate = wanted;
        // SAFETY: the context is open, the configuration is one it was opened with but for the rate.
        done(unsafe { vpx::vpx_codec_enc_config_set(&mut *self.context, &self.config) }, CodecError::Encode)
    }

    /// The size it was opened for.
    pub fn size(&self) -> (u32, u32) {
        (self.config.g_w, self.config.g_h)
    }

    /// Encodes a picture that is shown for so many microseconds; none if it was left out to keep the rate.
    pub fn encode(&mut self, picture: &Picture, shown_us: u32, key: bool) -> Result<Option<Encoded>, CodecError> {
        let (width, height) = self.size();
        if (picture.width(), picture.height()) != (width, height) {
            return Err(CodecError::Encode);
        }
        let flags = if key { i64::from(vpx::VPX_EFLAG_FORCE_KF) } else { 0 };
        let shown = (i64::from(shown_us) * i64::from(CLOCK) / 1_000_000).max(1);
        let mut image = MaybeUninit::<vpx::vpx_image_t>::zeroed();
        let data = picture.bytes().as_ptr().cast_mut();
        // SAFETY: the image borrows the picture's planes, which have this size and no gaps (alignment 1), and the
        // encoder only reads them; it keeps no pointer, since it was opened without lag.
        unsafe {
            let format = vpx::vpx_img_fmt::VPX_IMG_FMT_I420;
            if vpx::vpx_img_wrap(image.as_mut_ptr(), format, width, height, 1, data).is_null() {
                return Err(CodecError::Encode);
            }
            let deadline = u64::from(vpx::VPX_DL_REALTIME);
            let encoded = vpx::vpx_codec_encode(
                &mut *self.context,
                image.as_ptr(),
                self.time,
                shown as _,
                flags as _,
                deadline as _,
            );
            done(encoded, CodecError::Encode)?;
        }
        self.time += shown;
        Ok(self.take())
    }

    fn take(&mut self) -> Option<Encoded> {
        let (width, height) = self.size();
        let mut iterator: vpx::vpx_codec_iter_t = null();
        let mut encoded = None;
        loop {
            // SAFETY: the iterator belongs to this context; a packet lives until the next call, and is copied before.
            let packet = unsafe { vpx::vpx_codec_get_cx_data(&mut *self.context, &mut iterator).as_ref() };
            let Some(packet) = packet else { return encoded };
            if packet.kind != vpx::vpx_codec_cx_pkt_kind::VPX_CODEC_CX_FRAME_PKT {
                continue;
            }
            // SAFETY: the kind says that the union holds a frame, whose buffer has its length.
            let (data, flags) = unsafe {
                let frame = packet.data.frame;
                (std::slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz as usize), frame.flags)
            };
            let key = flags & vpx::VPX_FRAME_IS_KEY != 0;
            encoded = Some(Encoded { data: Bytes::copy_from_slice(data), key, width, height });
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the context is open and not used again.
        let _ = unsafe { vpx::vpx_codec_destroy(&mut *self.context) };
    }
}

/// Decodes what a peer sends. Sizes are judged before the library sees a frame.
pub struct Decoder {
    context: Box<vpx::vpx_codec_ctx_t>,
    /// What comes can be built upon what came.
    whole: bool,
}

// SAFETY: as for the encoder.
unsafe impl Send for Decoder {}

impl Decoder {
    /// Opens a decoder.
    pub fn new() -> Result<Self, CodecError> {
        // SAFETY: all zeroes is how a context begins.
        let mut context: Box<vpx::vpx_codec_ctx_t> = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        let config = vpx::vpx_codec_dec_cfg_t { threads: 1, w: 0, h: 0 };
        let version = vpx::VPX_DECODER_ABI_VERSION as i32;
        // SAFETY: the context is zeroed and stays where it is; the configuration is copied.
        unsafe {
            let opened = vpx::vpx_codec_dec_init_ver(&mut *context, vpx::vpx_codec_vp8_dx(), &config, 0, version);
            done(opened, CodecError::Open)?;
        }
        Ok(Self { context, whole: false })
    }

    /// A frame is missing: nothing is decoded before the next key frame.
    pub fn miss(&mut self) {
        self.whole = false;
    }

    /// Decodes a frame; none if it is not to be shown.
    pub fn decode(&mut self, frame: &[u8]) -> Result<Option<Picture>, CodecError> {
        match header(frame)? {
            Header::Delta if !self.whole => return Err(CodecError::NeedsKey),
            Header::Delta => {}
            Header::Key { .. } => self.whole = true,
        }
        let length = u32::try_from(frame.len()).map_err(|_| CodecError::Refused)?;
        // SAFETY: the context is open, the slice has its length, and nothing is kept of it.
        let decoded = unsafe { vpx::vpx_codec_decode(&mut *self.context, frame.as_ptr(), length, null_mut(), 0) };
        let picture = done(decoded, CodecError::Damaged).and_then(|()| self.take());
        self.whole &= picture.is_ok();
        picture
    }

    fn take(&mut self) -> Result<Option<Picture>, CodecError> {
        let mut iterator: vpx::vpx_codec_iter_t = null();
        // SAFETY: the iterator belongs to this context; the image lives until the next call, and is copied before.
        let Some(image) = (unsafe { vpx::vpx_codec_get_frame(&mut *self.context, &mut iterator).as_ref() }) else {
            return Ok(None);
        };
        let (width, height) = (image.d_w, image.d_h);
        if image.fmt != vpx::vpx_img_fmt::VPX_IMG_FMT_I420 || width > MOST_SIDE || height > MOST_SIDE {
            return Err(CodecError::Damaged);
        }
        let plane = |idx: usize, rows: u32| -> Result<(&[u8], usize), CodecError> {
            let stride = usize::try_from(image.stride[idx]).map_err(|_| CodecError::Damaged)?;
            if image.planes[idx].is_null() || stride < width as usize / if idx == 0 { 1 } else { 2 } {
                return Err(CodecError::Damaged);
            }
            // The last row need not be as long as its stride.
            let row = if idx == 0 { width as usize } else { width as usize / 2 };
            let length = stride * (rows as usize - 1) + row;
            // SAFETY: libvpx gives planes of these rows at this stride.
            Ok((unsafe { std::slice::from_raw_parts(image.planes[idx], length) }, stride))
        };
        if width == 0 || height < 2 {
            return Err(CodecError::Damaged);
        }
        let planes = [plane(0, height)?, plane(1, height / 2)?, plane(2, height / 2)?];
        Picture::from_planes(width, height, planes).map(Some).map_err(|_| CodecError::Damaged)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the context is open and not used again.
        let _ = unsafe { vpx::vpx_codec_destroy(&mut *self.context) };
    }
}

fn kilobits(bits_per_second: u32) -> u32 {
    (bits_per_second / 1_000).clamp(10, 20_000)
}

fn done(result: vpx::vpx_codec_err_t, error: CodecError) -> Result<(), CodecError> {
    if result == vpx::vpx_codec_err_t::VPX_CODEC_OK { Ok(()) } else { Err(error) }
}

#[cfg(test)]
#[path = "vp8_tests.rs"]
mod tests;
