//! Sans-IO. What a stretch of `stats` events says: latencies pooled over all its seconds, shares, rates, and how several
//! runs differ.
//!
//! A second's latencies are known by their median, 95th percentile and largest value. The percentile of a whole run is
//! that of the mixture in which each second counts half of its pictures at or below its median, 45 of 100 evenly between
//! the median and the 95th, and 5 evenly from there to the largest.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What one receiver got of one sender in one run. `None`: not known, or no such track.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// Milliseconds from capture to release.
    pub video_p50: Option<f64>,
    /// The same, 95th percentile.
    pub video_p95: Option<f64>,
    /// Pictures a second.
    pub fps: Option<f64>,
    /// Freezes in the whole run.
    pub freezes: Option<f64>,
    /// Milliseconds of them.
    pub frozen_ms: Option<f64>,
    /// Lines of the picture, mean over the seconds.
    pub height: Option<f64>,
    /// Video bits a second that came, in Mbit/s.
    pub video_mbit: Option<f64>,
    /// Milliseconds from capture to playout.
    pub audio_p50: Option<f64>,
    /// The same, 95th percentile.
    pub audio_p95: Option<f64>,
    /// Sound made up, percent.
    pub concealed: Option<f64>,
    /// Sound rebuilt from redundancy, percent.
    pub repaired: Option<f64>,
    /// Times a minute that playout found nothing.
    pub underruns: Option<f64>,
    /// Cores that a peer takes, mean of all.
    pub cores: Option<f64>,
    /// Milliseconds: what a bench of one moment measures.
    pub after_ms: Option<f64>,
    /// File bits a second that came, in Mbit/s.
    pub file_mbit: Option<f64>,
    /// Another share, percent; what of says the case.
    pub share: Option<f64>,
}

/// Reads a field.
pub type Get = fn(&Figures) -> Option<f64>;
/// Writes it.
pub type Set = fn(&mut Figures, Option<f64>);

/// Field by field, with the words of tables.
pub const FIELDS: &[(&str, Get, Set)] = &[
    ("video p50 ms", |f| f.video_p50, |f, v| f.video_p50 = v),
    ("video p95 ms", |f| f.video_p95, |f, v| f.video_p95 = v),
    ("pictures a second", |f| f.fps, |f, v| f.fps = v),
    ("freezes", |f| f.freezes, |f, v| f.freezes = v),
    ("frozen ms", |f| f.frozen_ms, |f, v| f.frozen_ms = v),
    ("lines", |f| f.height, |f, v| f.height = v),
    ("video Mbit/s", |f| f.video_mbit, |f, v| f.video_mbit = v),
    ("audio p50 ms", |f| f.audio_p50, |f, v| f.audio_p50 = v),
    ("audio p95 ms", |f| f.audio_p95, |f, v| f.audio_p95 = v),
    ("concealed %", |f| f.concealed, |f, v| f.concealed = v),
    ("repaired %", |f| f.repaired, |f, v| f.repaired = v),
    ("underruns a minute", |f| f.underruns, |f, v| f.underruns = v),
    ("cores a peer", |f| f.cores, |f, v| f.cores = v),
    ("after ms", |f| f.after_ms, |f, v| f.after_ms = v),
    ("file Mbit/s", |f| f.file_mbit, |f, v| f.file_mbit = v),
    ("share %", |f| f.share, |f, v| f.share = v),
];

/// The figures of what `peer` sent, from a receiver's `stats` events in a row; the first is the zero of all totals.
pub fn of(stats: &[Value], peer: &str) -> Figures {
    let entry = |stats: &'_ Value| stats["peers"][peer].clone();
    let (Some(first), Some(last)) = (stats.first().map(entry), stats.last().map(entry)) else {
        return Figures::default();
    };
    let seconds = span(stats);
    let grown = |track: &str, field: &str| Some(last[track][field].as_f64()? - first[track][field].as_f64()?);
    let each: Vec<Value> = stats.iter().skip(1).map(entry).collect();
    let mean = |values: Vec<f64>| {
        let count = u32::try_from(values.len()).ok().filter(|n| *n > 0)?;
        Some(values.iter().sum::<f64>() / f64::from(count))
    };
    let percent = |part: Option<f64>, whole: Option<f64>| Some(100.0 * part? / whole.filter(|whole| *whole > 0.0)?);
    let played = grown("audio", "played_ms");
    let cpu = |stats: &Value| stats["process"]["cpu_s"].as_f64();
    Figures {
        video_p50: pooled(&each, "video", 0.5),
        video_p95: pooled(&each, "video", 0.95),
        fps: grown("video", "frames").and_then(|frames| seconds.map(|seconds| frames / seconds)),
        freezes: grown("video", "freezes"),
        frozen_ms: grown("video", "frozen_ms"),
        height: mean(each.iter().filter_map(|one| one["video"]["height"].as_f64()).collect()),
        video_mbit: mean(
            stats.iter().skip(1).filter_map(|one| Some(one["rates"]["received"]["video"].as_f64()? / 1e6)).collect(),
        ),
        audio_p50: pooled(&each, "audio", 0.5),
        audio_p95: pooled(&each, "audio", 0.95),
        concealed: percent(grown("audio", "concealed_ms"), played),
        repaired: percent(grown("audio", "repaired_ms"), played),
        underruns: grown("audio", "underruns").and_then(|count| seconds.map(|seconds| count * 60.0 / seconds)),
        cores: stats.first().and_then(cpu).zip(stats.last().and_then(cpu)).zip(seconds).map(|((a, b), s)| (b - a) / s),
        ..Figures::default()
    }
}

/// Seconds from the first to the last event.
pub fn span(stats: &[Value]) -> Option<f64> {
    let at = |stats: &Value| stats["at"].as_f64();
    let span = (at(stats.last()?)? - at(stats.first()?)?) / 1000.0;
    (span > 0.0).then_some(span)
}

/// The quantile of all seconds' latencies of a track, see the module.
fn pooled(each: &[Value], track: &str, quantile: f64) -> Option<f64> {
    let seconds: Vec<(f64, f64, f64)> = each
        .iter()
        .filter_map(|one| {
            let latency = &one[track]["latency_ms"];
            Some((latency["p50"].as_f64()?, latency["p95"].as_f64()?, latency["max"].as_f64()?))
        })
        .collect();
    let most = seconds.iter().map(|(.., max)| *max).reduce(f64::max)?;
    let count = u32::try_from(seconds.len()).ok().map(f64::from)?;
    // What share of all is at or below `x`.
    let below = |x: f64| {
        let part = |from: f64, to: f64| if x >= to { 1.0 } else { ((x - from) / (to - from)).clamp(0.0, 1.0) };
        let one = |(p50, p95, max): &(f64, f64, f64)| {
            if x < *p50 { 0.0 } else { 0.5 + 0.45 * part(*p50, *p95) + 0.05 * part(*p95, *max) }
        };
        seconds.iter().map(one).sum::<f64>() / count
    };
    let (mut low, mut high) = (0.0, most);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if below(middle) < quantile - 1e-9 { low = middle } else { high = middle }
    }
    Some(high)
}

/// The median of each field over several runs, and its least and largest value.
pub fn median(runs: &[Figures]) -> (Figures, Figures, Figures) {
    let mut out = (Figures::default(), Figures::default(), Figures::default());
    for (_, get, set) in FIELDS {
        let mut values: Vec<f64> = runs.iter().filter_map(get).collect();
        values.sort_by(f64::total_cmp);
        set(&mut out.0, values.get(values.len() / 2).copied());
        set(&mut out.1, values.first().copied());
        set(&mut out.2, values.last().copied());
    }
    out
}

/// What is worse, by more than a rounding, than what another program did beside it: of latencies at the 95th percentile,
/// freezes and concealment.
pub fn worse(ours: &Figures, theirs: &Figures) -> Vec<&'static str> {
    const WATCHED: [&str; 4] = ["video p95 ms", "audio p95 ms", "freezes", "concealed %"];
    let is_worse = |get: &Get| get(ours).zip(get(theirs)).is_some_and(|(a, b)| a > b + 0.05);
    FIELDS.iter().filter(|(name, get, _)| WATCHED.contains(name) && is_worse(get)).map(|(name, ..)| *name).collect()
}

/// The mean of each field over several receivers of one run; freezes and underruns are the worst of them.
pub fn mean(all: &[Figures]) -> Figures {
    let mut out = Figures::default();
    for (name, get, set) in FIELDS {
        let values: Vec<f64> = all.iter().filter_map(get).collect();
        let worst = values.iter().copied().reduce(f64::max);
        let count = u32::try_from(values.len()).map_or(0.0, f64::from);
        let mean = (count > 0.0).then(|| values.iter().sum::<f64>() / count);
        set(&mut out, if ["freezes", "frozen ms", "underruns a minute"].contains(name) { worst } else { mean });
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn second(at: u64, frames: u64, latency: (f64, f64, f64)) -> Value {
        let latency = json!({ "p50": latency.0, "p95": latency.1, "max": latency.2 });
        json!({
            "at": at,
            "rates": { "received": { "video": 1_500_000 } },
            "process": { "cpu_s": f64::from(u32::try_from(at).expect("small")) / 5000.0 },
            "peers": { "a": {
                "video": { "height": 360, "frames": frames, "freezes": 1, "frozen_ms": 0, "latency_ms": latency },
                "audio": { "played_ms": at, "concealed_ms": at / 100, "repaired_ms": 0, "underruns": 0, "latency_ms": null },
            } },
        })
    }

    #[test]
    fn figures_are_of_the_stretch_alone() {
        let stats: Vec<Value> = (1..=5).map(|n| second(n * 1000, n * 30, (10.0, 20.0, 20.0))).collect();
        let figures = of(&stats, "a");
        assert_eq!((figures.fps, figures.freezes, figures.video_mbit), (Some(30.0), Some(0.0), Some(1.5)));
        assert_eq!((figures.concealed, figures.cores, figures.height), (Some(1.0), Some(0.2), Some(360.0)));
        assert_eq!(figures.audio_p95, None);
        assert!((figures.video_p50.expect("known") - 10.0).abs() < 0.01);
        assert!((figures.video_p95.expect("known") - 20.0).abs() < 0.01);
        assert_eq!(of(&[], "a"), Figures::default());
        assert_eq!(of(&stats, "b").fps, None, "nobody of that name");
    }

    #[test]
    fn one_slow_second_of_ten_is_seen_in_the_percentile() {
        let stats: Vec<Value> = (0..=10)
            .map(|n| second(n * 1000, 0, if n == 4 { (100.0, 100.0, 100.0) } else { (10.0, 10.0, 10.0) }))
            .collect();
        let p95 = of(&stats, "a").video_p95.expect("known");
        assert!((p95 - 100.0).abs() < 0.01, "{p95}");
    }

    #[test]
    fn worse_is_what_is_larger_where_less_is_better() {
        let ours = Figures { video_p95: Some(20.0), concealed: Some(1.0), fps: Some(10.0), ..Figures::default() };
        let theirs = Figures { video_p95: Some(30.0), concealed: Some(0.5), fps: Some(30.0), ..Figures::default() };
        assert_eq!(worse(&ours, &theirs), ["concealed %"]);
        assert_eq!(worse(&theirs, &ours), ["video p95 ms"]);
    }

    #[test]
    fn runs_give_a_median_and_their_spread() {
        let run = |p50| Figures { video_p50: Some(p50), ..Figures::default() };
        let (median, least, most) = median(&[run(3.0), run(1.0), run(9.0)]);
        assert_eq!((median.video_p50, least.video_p50, most.video_p50), (Some(3.0), Some(1.0), Some(9.0)));
        assert_eq!(median.fps, None);
    }
}
