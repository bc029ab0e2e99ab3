//! H.264 by OpenH264, through its C interface: the safe wrapper hides live bitrate, forced keyframes and the decoder's
//! error state, all of which we need.
//!
//! The encoder makes constrained baseline (CAVLC), one slice a picture, no periodic keyframes: they are made on demand.
//! Rate control is the library's bitrate mode with frame skip as the last resort; the track's own budget stands above
//! it. The decoder's error concealment is off: a picture that is not exactly what was encoded is not given at all.
//! Before a keyframe reaches the decoder its parameter set is read here, since the library would allocate whatever size
//! a peer claims.
//!
//! Both are used on the thread that made them; the pointers make them neither `Send` nor `Sync`.
#![expect(unsafe_code, reason = "OpenH264 is a C library; every call is in this file")]

use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};

use openh264_sys2 as sys;
use sys::source::APILoader as Api;

use super::{Content, EncodedPicture, Keyframe, Undecodable, VideoConfig, VideoDecoder, VideoEncoder};
use crate::av::Error;
use crate::av::packet::sps;
use crate::frame::{Pool, VideoFrame};
use crate::media::Bitrate;

const fn error(reason: &'static str) -> Error {
    Error::Codec { codec: "H.264", reason }
}

/// The library takes rates as `int`; 100 Mbit/s is more than any picture here needs.
fn rate(bitrate: Bitrate) -> c_int {
    c_int::try_from(bitrate.bps().clamp(16_000, 100_000_000)).unwrap_or(c_int::MAX)
}

/// An OpenH264 encoder for one size.
#[derive(Debug)]
pub struct Encoder {
    raw: NonNull<sys::ISVCEncoder>,
    info: Box<sys::SFrameBSInfo>,
    config: VideoConfig,
}

impl Encoder {
    /// Makes one. Errors when the library refuses the size or has no memory.
    pub fn new(config: VideoConfig) -> Result<Self, Error> {
        let mut raw: *mut sys::ISVCEncoder = ptr::null_mut();
        // SAFETY: the library writes a valid encoder or null to the pointer that we own.
        let created = unsafe { Api::WelsCreateSVCEncoder(&raw mut raw) };
        let raw = NonNull::new(raw).filter(|_| created == 0).ok_or(error("no memory for an encoder"))?;
        // From here on `Drop` frees it.
        let mut encoder = Self { raw, info: Box::default(), config };
        encoder.set_int(sys::ENCODER_OPTION_TRACE_LEVEL, 0);
        let mut params = sys::SEncParamExt::default();
        let table = encoder.table();
        let defaults = table.GetDefaultParams.ok_or(error("the library is incomplete"))?;
        let initialize = table.InitializeExt.ok_or(error("the library is incomplete"))?;
        // SAFETY: `raw` is a live encoder, `params` outlives the call.
        unsafe { defaults(encoder.raw.as_ptr(), &raw mut params) };
        parameters(&mut params, config);
        // SAFETY: as above; the library copies the parameters.
        let ready = unsafe { initialize(encoder.raw.as_ptr(), &raw const params) };
        if ready != 0 {
            return Err(error("the encoder refused this size or rate"));
        }
        encoder.set_int(sys::ENCODER_OPTION_DATAFORMAT, sys::videoFormatI420);
        Ok(encoder)
    }

    fn table(&self) -> &'static sys::ISVCEncoderVtbl {
        // SAFETY: a live encoder points at its table, which is static in the library.
        unsafe { &**self.raw.as_ptr() }
    }

    fn set_int(&mut self, option: sys::ENCODER_OPTION, mut value: c_int) {
        if let Some(set) = self.table().SetOption {
            // SAFETY: the options used here read one int from a pointer that outlives the call.
            unsafe { set(self.raw.as_ptr(), option, (&raw mut value).cast::<c_void>()) };
        }
    }

    /// Copies the last encoded picture out of the library's buffers.
    fn collect(&self) -> EncodedPicture {
        let size = usize::try_from(self.info.iFrameSizeInBytes).unwrap_or(0);
        let mut out = EncodedPicture {
            data: Vec::with_capacity(size),
            key: self.info.eFrameType == sys::videoFrameTypeIDR,
            temporal: 0,
            discardable: false,
        };
        let layers = usize::try_from(self.info.iLayerNum).unwrap_or(0);
        for layer in self.info.sLayerInfo.iter().take(layers) {
            let nals = usize::try_from(layer.iNalCount).unwrap_or(0);
            if layer.pBsBuf.is_null() || layer.pNalLengthInByte.is_null() {
                continue;
            }
            // SAFETY: the library keeps `iNalCount` lengths there until the next call on this encoder.
            let lengths = unsafe { std::slice::from_raw_parts(layer.pNalLengthInByte, nals) };
            let length = lengths.iter().map(|n| usize::try_from(*n).unwrap_or(0)).sum();
            // SAFETY: the NALs stand end to end at `pBsBuf`, valid until the next call on this encoder.
            out.data.extend_from_slice(unsafe { std::slice::from_raw_parts(layer.pBsBuf, length) });
            out.temporal = out.temporal.max(layer.uiTemporalId);
        }
        // With two or more temporal layers nothing refers to the highest.
        out.discardable =
            !out.key && self.config.temporal_layers > 1 && out.temporal + 1 == self.config.temporal_layers;
        out
    }
}

/// The finest and the coarsest step of quantisation of a screen. Above 34 letters of ten points lose their thin strokes; below
/// 18 nothing is seen of what the bits buy.
const SCREEN_QP: (c_int, c_int) = (18, 34);

/// What differs from the library's defaults.
fn parameters(params: &mut sys::SEncParamExt, config: VideoConfig) {
    let (width, height) = (c_int::from(config.width), c_int::from(config.height));
    params.iUsageType = sys::CAMERA_VIDEO_REAL_TIME;
    params.iPicWidth = width;
    params.iPicHeight = height;
    params.iTargetBitrate = rate(config.bitrate);
    params.iMaxBitrate = 0;
    params.fMaxFrameRate = config.fps;
    params.iRCMode = sys::RC_BITRATE_MODE;
    params.bEnableFrameSkip = true;
    params.iTemporalLayerNum = c_int::from(config.temporal_layers.clamp(1, 4));
    params.iSpatialLayerNum = 1;
    params.uiIntraPeriod = 0;
    params.iComplexityMode = sys::MEDIUM_COMPLEXITY;
    params.iMultipleThreadIdc = 1;
    params.iEntropyCodingModeFlag = 0;
    params.eSpsPpsIdStrategy = sys::CONSTANT_ID;
    params.bEnableDenoise = false;
    params.bEnableLongTermReference = false;
    params.bEnableAdaptiveQuant = true;
    params.bEnableBackgroundDetection = true;
    params.bEnableSceneChangeDetect = true;
    params.iMinQp = 10;
    params.iMaxQp = 51;
    if config.content == Content::Screen {
        params.iUsageType = sys::SCREEN_CONTENT_REAL_TIME;
        params.bEnableAdaptiveQuant = false;
        params.bEnableBackgroundDetection = false;
        (params.iMinQp, params.iMaxQp) = SCREEN_QP;
    }
    let layer = &mut params.sSpatialLayers[0];
    layer.iVideoWidth = width;
    layer.iVideoHeight = height;
    layer.fFrameRate = config.fps;
    layer.iSpatialBitrate = rate(config.bitrate);
    layer.iMaxSpatialBitrate = 0;
    layer.uiProfileIdc = sys::PRO_BASELINE;
    layer.sSliceArgument.uiSliceMode = sys::SM_SINGLE_SLICE;
    layer.sSliceArgument.uiSliceNum = 1;
}

impl VideoEncoder for Encoder {
    fn encode(&mut self, picture: &VideoFrame, keyframe: Keyframe) -> Result<Option<EncodedPicture>, Error> {
        if (picture.width(), picture.height()) != (self.config.width, self.config.height) {
            return Err(error("a picture of another size came"));
        }
        let table = self.table();
        if let (Keyframe::Force, Some(force)) = (keyframe, table.ForceIntraFrame) {
            // SAFETY: `raw` is a live encoder.
            unsafe { force(self.raw.as_ptr(), true) };
        }
        let encode = table.EncodeFrame.ok_or(error("the library is incomplete"))?;
        let (y, u, v) = picture.planes();
        let (width, height) = (c_int::from(picture.width()), c_int::from(picture.height()));
        let source = sys::SSourcePicture {
            iColorFormat: sys::videoFormatI420,
            iStride: [width, width / 2, width / 2, 0],
            // The library only reads from these.
            pData: [y.as_ptr().cast_mut(), u.as_ptr().cast_mut(), v.as_ptr().cast_mut(), ptr::null_mut()],
            iPicWidth: width,
            iPicHeight: height,
            uiTimeStamp: i64::try_from(picture.captured / 1000).unwrap_or(0),
            ..Default::default()
        };
        // SAFETY: `raw` is live, the planes have the sizes that width, height and strides say and outlive the call.
        let done = unsafe { encode(self.raw.as_ptr(), &raw const source, &raw mut *self.info) };
        if done != 0 {
            return Err(error("the encoder failed on a picture"));
        }
        let encoded = self.collect();
        Ok((!encoded.data.is_empty()).then_some(encoded))
    }

    fn set_bitrate(&mut self, bitrate: Bitrate) {
        let mut info = sys::SBitrateInfo { iLayer: sys::SPATIAL_LAYER_ALL, iBitrate: rate(bitrate) };
        if let Some(set) = self.table().SetOption {
            // SAFETY: this option reads one SBitrateInfo from a pointer that outlives the call.
            unsafe {
                set(self.raw.as_ptr(), sys::ENCODER_OPTION_BITRATE, (&raw mut info).cast::<c_void>());
            }
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: `raw` is live and nothing uses it after this.
        unsafe {
            if let Some(end) = self.table().Uninitialize {
                end(self.raw.as_ptr());
            }
            Api::WelsDestroySVCEncoder(self.raw.as_ptr());
        }
    }
}

/// An OpenH264 decoder.
#[derive(Debug)]
pub struct Decoder {
    raw: NonNull<sys::ISVCDecoder>,
}

impl Decoder {
    /// Makes one. Errors when the library has no memory.
    pub fn new() -> Result<Self, Error> {
        let mut raw: *mut sys::ISVCDecoder = ptr::null_mut();
        // SAFETY: the library writes a valid decoder or null to the pointer that we own.
        let created = unsafe { Api::WelsCreateDecoder(&raw mut raw) };
        let raw = NonNull::new(raw).filter(|_| created == 0).ok_or(error("no memory for a decoder"))?;
        let decoder = Self { raw };
        let table = decoder.table();
        let set = table.SetOption.ok_or(error("the library is incomplete"))?;
        let initialize = table.Initialize.ok_or(error("the library is incomplete"))?;
        let mut quiet: c_int = 0;
        let mut params = sys::SDecodingParam { eEcActiveIdc: sys::ERROR_CON_DISABLE, ..Default::default() };
        params.sVideoProperty.eVideoBsType = sys::VIDEO_BITSTREAM_AVC;
        // SAFETY: `raw` is live; both calls read from pointers that outlive them.
        let ready = unsafe {
            set(decoder.raw.as_ptr(), sys::DECODER_OPTION_TRACE_LEVEL, (&raw mut quiet).cast::<c_void>());
            initialize(decoder.raw.as_ptr(), &raw const params)
        };
        if ready == 0 { Ok(decoder) } else { Err(error("the decoder does not start")) }
    }

    fn table(&self) -> &'static sys::ISVCDecoderVtbl {
        // SAFETY: a live decoder points at its table, which is static in the library.
        unsafe { &**self.raw.as_ptr() }
    }
}

impl VideoDecoder for Decoder {
    fn decode(&mut self, data: &[u8], pool: &Pool) -> Result<Option<VideoFrame>, Undecodable> {
        if !sps::acceptable(data) {
            return Err(Undecodable);
        }
        let length = c_int::try_from(data.len()).map_err(|_| Undecodable)?;
        let decode = self.table().DecodeFrameNoDelay.ok_or(Undecodable)?;
        let mut planes: [*mut u8; 3] = [ptr::null_mut(); 3];
        let mut info = sys::SBufferInfo::default();
        // SAFETY: `raw` is live, `data` holds `length` bytes, the library writes three pointers and one SBufferInfo.
        let state = unsafe { decode(self.raw.as_ptr(), data.as_ptr(), length, planes.as_mut_ptr(), &raw mut info) };
        if state != sys::dsErrorFree {
            return Err(Undecodable);
        }
        if info.iBufferStatus != 1 || planes.iter().any(|plane| plane.is_null()) {
            return Ok(None);
        }
        // SAFETY: with buffer status 1 the library has filled this part of the union.
        let shape = unsafe { info.UsrData.sSystemBuffer };
        let (width, height) = (positive(shape.iWidth)?, positive(shape.iHeight)?);
        let (stride, chroma_stride) = (positive(shape.iStride[0])?, positive(shape.iStride[1])?);
        if stride < width || chroma_stride < width / 2 {
            return Err(Undecodable);
        }
        let side = |v: usize| u16::try_from(v).map_err(|_| Undecodable);
        let mut picture = pool.picture(side(width)?, side(height)?);
        let (width, height) = (usize::from(picture.width()), usize::from(picture.height()));
        let (y, u, v) = picture.planes_mut();
        // SAFETY: each plane has at least `rows` rows of `stride` bytes, valid until the next call on this decoder.
        unsafe {
            copy_plane(planes[0], stride, y, width, height);
            copy_plane(planes[1], chroma_stride, u, width / 2, height / 2);
            copy_plane(planes[2], chroma_stride, v, width / 2, height / 2);
        }
        Ok(Some(picture))
    }
}

fn positive(value: c_int) -> Result<usize, Undecodable> {
    usize::try_from(value).ok().filter(|v| *v > 0).ok_or(Undecodable)
}

/// # Safety
/// `from` must hold `rows` rows, `stride` bytes apart, each of at least `width` bytes.
unsafe fn copy_plane(from: *const u8, stride: usize, to: &mut [u8], width: usize, rows: usize) {
    for (row, to) in to.chunks_exact_mut(width).take(rows).enumerate() {
        // SAFETY: promised by the caller.
        to.copy_from_slice(unsafe { std::slice::from_raw_parts(from.add(row * stride), width) });
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: `raw` is live and nothing uses it after this.
        unsafe {
            if let Some(end) = self.table().Uninitialize {
                end(self.raw.as_ptr());
            }
            Api::WelsDestroyDecoder(self.raw.as_ptr());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::av::capture::VideoSource as _;
    use crate::av::capture::testcard::TestCard;
    use crate::av::process::convert::psnr;

    const SIZE: (u16, u16) = (320, 180);

    fn config(bps: u64) -> VideoConfig {
        let bitrate = Bitrate::from_bps(bps);
        VideoConfig { width: SIZE.0, height: SIZE.1, fps: 30.0, bitrate, temporal_layers: 2, content: Content::Camera }
    }

    /// Test cards with noise, so that there is something to spend bits on.
    fn pictures(count: u64) -> Vec<VideoFrame> {
        let (pool, mut card) = (Pool::new(0), TestCard::new(SIZE.0, SIZE.1, 30));
        let mut state = 1u32;
        (0..count)
            .map(|tick| {
                let mut picture = pool.picture(SIZE.0, SIZE.1);
                card.picture(tick, &mut picture).expect("drawn");
                for value in picture.planes_mut().0 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *value = value.wrapping_add(u8::try_from(state >> 29).expect("three bits"));
                }
                picture.captured = 1_000_000 + tick * 33_333;
                picture
            })
            .collect()
    }

    fn encode(encoder: &mut Encoder, pictures: &[VideoFrame]) -> Vec<EncodedPicture> {
        let encoded = pictures.iter().map(|picture| encoder.encode(picture, Keyframe::Auto).expect("encoded"));
        encoded.flatten().collect()
    }

    #[test]
    fn rate_changes_live_and_keyframes_come_on_demand() {
        let pictures = pictures(120);
        let mut encoder = Encoder::new(config(1_500_000)).expect("an encoder");
        let size = |encoded: &[EncodedPicture]| encoded.iter().map(|picture| picture.data.len()).sum::<usize>();
        let high = encode(&mut encoder, &pictures[..60]);
        encoder.set_bitrate(Bitrate::from_bps(300_000));
        let low = encode(&mut encoder, &pictures[60..119]);
        assert!(size(&low) * 2 < size(&high), "{} after {}", size(&low), size(&high));
        assert!(high[0].key && high[1..].iter().chain(&low).all(|picture| !picture.key));
        let forced = encoder.encode(&pictures[119], Keyframe::Force).expect("encoded");
        assert!(forced.is_some_and(|picture| picture.key && !picture.discardable));
    }

    #[test]
    fn pictures_come_back_alike_also_without_the_discardable_ones() {
        let pictures = pictures(30);
        let mut encoder = Encoder::new(config(3_000_000)).expect("an encoder");
        let encoded = encode(&mut encoder, &pictures);
        assert_eq!(encoded.len(), 30);
        assert!(encoded.iter().filter(|picture| picture.discardable).count() >= 14);
        let mut decoder = Decoder::new().expect("a decoder");
        for (picture, encoded) in pictures.iter().zip(&encoded).filter(|(_, encoded)| !encoded.discardable) {
            let decoded = decoder.decode(&encoded.data, &Pool::new(0)).expect("decodable").expect("a picture");
            assert!(psnr(picture, &decoded) > 35.0);
        }
    }

    #[test]
    fn what_lacks_its_reference_is_not_shown() {
        let pictures = pictures(8);
        let mut encoder = Encoder::new(VideoConfig { temporal_layers: 1, ..config(1_000_000) }).expect("an encoder");
        let encoded = encode(&mut encoder, &pictures);
        let mut decoder = Decoder::new().expect("a decoder");
        for picture in &encoded[1..] {
            assert!(!matches!(decoder.decode(&picture.data, &Pool::new(0)), Ok(Some(_))));
        }
    }

    #[test]
    fn a_picture_of_another_size_is_an_error() {
        let mut encoder = Encoder::new(config(1_000_000)).expect("an encoder");
        assert!(encoder.encode(&Pool::new(0).picture(64, 64), Keyframe::Auto).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn damaged_bytes_are_survived(damage in proptest::collection::vec((0usize..6, any::<u16>(), any::<u8>()), 1..40)) {
            let mut encoder = Encoder::new(config(500_000)).expect("an encoder");
            let mut encoded = encode(&mut encoder, &pictures(6));
            for (picture, at, value) in damage {
                let data = &mut encoded[picture].data;
                let at = usize::from(at) % data.len();
                data[at] = value;
            }
            let mut decoder = Decoder::new().expect("a decoder");
            for picture in &encoded {
                if let Ok(Some(decoded)) = decoder.decode(&picture.data, &Pool::new(0)) {
                    prop_assert!(decoded.width() <= 1920 && decoded.height() <= 1088);
                }
            }
        }
    }
}
