//! Sans-IO. What the demo's peers saw, heard, read and received of one another, judged and laid out as a table.

use std::fmt::Write as _;

use serde_json::Value;

/// What one peer got of another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// Who received.
    pub who: String,
    /// From whom.
    pub from: String,
    /// How it was found.
    pub found: Option<String>,
    /// Picture: width, height, frames a second.
    pub picture: Option<(u64, u64, f64)>,
    /// Milliseconds from capture to release, median and 95th percentile.
    pub picture_ms: Option<(f64, f64)>,
    /// Milliseconds of sound played, and of these made up.
    pub sound: Option<(u64, u64)>,
    /// Milliseconds from mouth to ear, median and 95th percentile.
    pub sound_ms: Option<(f64, f64)>,
    /// Read its line to the room.
    pub room_line: bool,
    /// Read its private line: `None` where there was none to read.
    pub private_line: Option<bool>,
    /// Received its file whole: `None` where there was none; else bytes.
    pub file: Option<Option<u64>>,
    /// A private line that was not for this peer reached it.
    pub leaked: bool,
}

/// The media that this build carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// Pictures and sound.
    Whole,
    /// Neither: built without the feature `media`.
    None,
}

impl Row {
    /// What is missing, in words; empty when all is well.
    pub fn missing(&self, media: Media) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if self.found.is_none() {
            missing.push("was not found");
        }
        if media == Media::Whole {
            // A third of the 30 frames a second sent: fewer is no moving picture.
            if self.picture.is_none_or(|(_, _, fps)| fps < 10.0) || self.picture_ms.is_none() {
                missing.push("no moving picture");
            }
            let sound_is_clear = |(played, made_up): (u64, u64)| played >= 500 && made_up * 4 <= played;
            if !self.sound.is_some_and(sound_is_clear) || self.sound_ms.is_none() {
                missing.push("no clear sound");
            }
        }
        if !self.room_line {
            missing.push("room line not read");
        }
        if self.private_line == Some(false) {
            missing.push("private line not read");
        }
        if self.file == Some(None) {
            missing.push("file not received");
        }
        if self.leaked {
            missing.push("read a private line of others");
        }
        missing
    }

    /// Takes picture and sound figures from one peer's entry of a `stats` event.
    pub fn take_stats(&mut self, peer: &Value) {
        let pair = |latency: &Value| Some((latency["p50"].as_f64()?, latency["p95"].as_f64()?));
        let video = &peer["video"];
        if let (Some(width), Some(height), Some(fps)) =
            (video["width"].as_u64(), video["height"].as_u64(), video["fps"].as_f64())
        {
            // The last second with a picture counts: the first ones are cut by the start.
            if fps > 0.0 {
                self.picture = Some((width, height, fps));
                self.picture_ms = pair(&video["latency_ms"]).or(self.picture_ms);
            }
        }
        let audio = &peer["audio"];
        if let (Some(played), Some(made_up)) = (audio["played_ms"].as_u64(), audio["concealed_ms"].as_u64()) {
            self.sound = Some((played, made_up));
            self.sound_ms = pair(&audio["latency_ms"]).or(self.sound_ms);
        }
    }
}

/// The table, columns as wide as their content.
pub fn table(rows: &[Row]) -> String {
    let head = ["who", "got of", "found by", "picture", "latency", "sound", "latency", "read", "file"];
    let mut lines: Vec<[String; 9]> = vec![head.map(str::to_owned)];
    let ms = |pair: Option<(f64, f64)>| pair.map_or("-".to_owned(), |(p50, p95)| format!("{p50:.0}/{p95:.0} ms"));
    for row in rows {
        let read = match (row.room_line, row.private_line) {
            (true, Some(true)) => "room, private",
            (true, _) => "room",
            (false, Some(true)) => "private",
            (false, _) => "-",
        };
        lines.push([
            row.who.clone(),
            row.from.clone(),
            row.found.clone().unwrap_or_else(|| "-".to_owned()),
            row.picture.map_or("-".to_owned(), |(w, h, fps)| format!("{w}x{h} {fps:.0} fps")),
            ms(row.picture_ms),
            row.sound.map_or("-".to_owned(), |(played, made_up)| {
                format!("{}.{} s, {made_up} ms made up", played / 1000, played % 1000 / 100)
            }),
            ms(row.sound_ms),
            read.to_owned(),
            match row.file {
                Some(Some(bytes)) => format!("{}.{} MB, checked", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
                _ => "-".to_owned(),
            },
        ]);
    }
    let widths: Vec<usize> =
        (0..9).map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for line in &lines {
        let mut text = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "{cell:<width$}  ");
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Row {
        Row {
            who: "Ada".into(),
            from: "Bo".into(),
            found: Some("mdns".into()),
            picture: Some((640, 360, 30.0)),
            picture_ms: Some((9.0, 14.0)),
            sound: Some((5_000, 0)),
            sound_ms: Some((31.0, 40.0)),
            room_line: true,
            private_line: None,
            file: Some(Some(5_000_000)),
            leaked: false,
        }
    }

    #[test]
    fn a_whole_row_misses_nothing() {
        assert!(whole().missing(Media::Whole).is_empty());
    }

    #[test]
    fn each_gap_is_named() {
        let check = |change: fn(&mut Row), expect: &str| {
            let mut row = whole();
            change(&mut row);
            assert_eq!(row.missing(Media::Whole), [expect]);
        };
        check(|row| row.found = None, "was not found");
        check(|row| row.picture = Some((640, 360, 2.0)), "no moving picture");
        check(|row| row.sound = Some((5_000, 4_000)), "no clear sound");
        check(|row| row.room_line = false, "room line not read");
        check(|row| row.private_line = Some(false), "private line not read");
        check(|row| row.file = Some(None), "file not received");
        check(|row| row.leaked = true, "read a private line of others");
    }

    #[test]
    fn stats_keep_the_last_second_with_a_picture() {
        let mut row = Row::default();
        let stats = |fps: f64| {
            serde_json::json!({ "video": { "width": 640, "height": 360, "fps": fps,
                "latency_ms": { "p50": 8.0, "p95": 12.0, "max": 20.0 } },
                "audio": { "played_ms": 900, "concealed_ms": 10, "latency_ms": null } })
        };
        row.take_stats(&stats(12.0));
        row.take_stats(&stats(30.0));
        row.take_stats(&stats(0.0));
        assert_eq!(row.picture, Some((640, 360, 30.0)));
        assert_eq!((row.sound, row.sound_ms), (Some((900, 10)), None));
    }
}
