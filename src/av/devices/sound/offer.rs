//! Which of the ways that a microphone or speaker offers is asked for.

use cpal::traits::DeviceTrait as _;
use cpal::{BufferSize, ErrorKind, SampleFormat, SupportedBufferSize};

use super::Way;
use crate::frame::SAMPLE_RATE;

/// What a device is asked for: 48 kHz, few channels, floats if it has them, `asked` times 10 ms a callback.
pub(super) fn settings(
    device: &cpal::Device,
    way: Way,
    asked: u32,
) -> Result<(cpal::StreamConfig, SampleFormat), cpal::Error> {
    let offered: Vec<cpal::SupportedStreamConfigRange> = match way {
        Way::In => device.supported_input_configs()?.collect(),
        Way::Out => device.supported_output_configs()?.collect(),
    };
    let offers: Vec<Offer> = offered
        .iter()
        .map(|range| Offer {
            channels: range.channels(),
            rates: (range.min_sample_rate(), range.max_sample_rate()),
            format: range.sample_format(),
            buffer: match range.buffer_size() {
                SupportedBufferSize::Range { min, max } => Some((*min, *max)),
                SupportedBufferSize::Unknown => None,
            },
        })
        .collect();
    let Some((offer, rate)) = choose(&offers, way) else { return Err(ErrorKind::UnsupportedConfig.into()) };
    let wanted = rate / 100 * asked;
    let buffer_size = match offer.buffer {
        Some((min, max)) => BufferSize::Fixed(wanted.clamp(min, max.max(min))),
        None => BufferSize::Default,
    };
    Ok((cpal::StreamConfig { channels: offer.channels, sample_rate: rate, buffer_size }, offer.format))
}

/// One line of what a device can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offer {
    channels: u16,
    rates: (u32, u32),
    format: SampleFormat,
    buffer: Option<(u32, u32)>,
}

/// The best of `offers`, and the rate to ask for.
fn choose(offers: &[Offer], way: Way) -> Option<(Offer, u32)> {
    let format = |format: SampleFormat| match format {
        SampleFormat::F32 => Some(0),
        SampleFormat::I16 => Some(1),
        SampleFormat::I32 => Some(2),
        _ => None,
    };
    let channels = |channels: u16| match (way, channels) {
        (Way::In, 1) | (Way::Out, 2) => 0,
        (Way::In, 2) | (Way::Out, 1) => 1,
        (_, more) => more,
    };
    let rate = |(min, max): (u32, u32)| SAMPLE_RATE.clamp(min, max.max(min));
    let usable = offers.iter().filter(|offer| {
        offer.channels > 0 && format(offer.format).is_some() && (8_000..=192_000).contains(&rate(offer.rates))
    });
    let best = usable.min_by_key(|offer| {
        let rate = rate(offer.rates);
        // A higher rate loses nothing, a lower one does.
        let rank = (rate != SAMPLE_RATE, rate < SAMPLE_RATE, rate.abs_diff(SAMPLE_RATE));
        (rank, channels(offer.channels), format(offer.format))
    })?;
    Some((*best, rate(best.rates)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(channels: u16, rates: (u32, u32), format: SampleFormat) -> Offer {
        Offer { channels, rates, format, buffer: None }
    }

    #[test]
    fn the_best_offer_is_48_khz_with_few_channels_of_floats() {
        use SampleFormat::{F32, I16, I32, U8};
        let check = |offers: &[Offer], way: Way, expect: Option<(usize, u32)>| {
            assert_eq!(choose(offers, way), expect.map(|(at, rate)| (offers[at], rate)), "{offers:?}");
        };
        let pulse = [offer(1, (1, 384_000), F32), offer(2, (1, 384_000), F32), offer(2, (1, 384_000), I16)];
        check(&pulse, Way::In, Some((0, 48_000)));
        check(&pulse, Way::Out, Some((1, 48_000)));
        let old = [offer(2, (44_100, 44_100), I16), offer(2, (96_000, 96_000), I32), offer(2, (16_000, 16_000), F32)];
        check(&old, Way::In, Some((1, 96_000)));
        check(&[offer(8, (48_000, 48_000), I32), offer(2, (44_100, 44_100), F32)], Way::Out, Some((0, 48_000)));
        check(&[offer(1, (48_000, 48_000), U8), offer(0, (48_000, 48_000), F32)], Way::In, None);
    }
}
