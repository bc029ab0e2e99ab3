//! Sans-IO. What is done to a microphone's sound before it is sent, as people type it: `on`, `off` (the original sound)
//! or some of `echo=on,noise=strong,gain=off`; what is not named is as in `on`.

use std::fmt;
use std::str::FromStr;

use super::{Microphone, ParseError};

/// How much of steady noise is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Noise {
    /// Nothing.
    Off,
    /// By the spectrum: voices stay as they are.
    #[default]
    Standard,
    /// By a neural network: keyboards too, and what is no voice.
    Strong,
}

impl Noise {
    /// All of them, the weakest first.
    pub const ALL: [Self; 3] = [Self::Off, Self::Standard, Self::Strong];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Standard => "standard",
            Self::Strong => "strong",
        }
    }
}

/// As it is typed.
impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Noise {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let word = Self::ALL.into_iter().find(|noise| noise.as_str() == text);
        word.ok_or_else(|| ParseError::Unknown(text.to_owned(), "noise suppression", "off, standard, strong"))
    }
}

/// The processing of one microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voice {
    /// What one's own speaker plays is taken out again, and feedback between machines in one room is stopped.
    pub echo: bool,
    /// Steady noise is taken out.
    pub noise: Noise,
    /// Quiet voices are made louder, loud ones kept below full scale.
    pub gain: bool,
}

impl Voice {
    /// All of it, as a real microphone needs it.
    pub const ON: Self = Self { echo: true, noise: Noise::Standard, gain: true };
    /// The original sound.
    pub const OFF: Self = Self { echo: false, noise: Noise::Off, gain: false };

    /// Nothing is done.
    pub fn is_off(self) -> bool {
        self == Self::OFF
    }

    /// With what a command changes.
    #[must_use]
    pub fn with(self, change: Change) -> Self {
        Self {
            echo: change.echo.unwrap_or(self.echo),
            noise: change.noise.unwrap_or(self.noise),
            gain: change.gain.unwrap_or(self.gain),
        }
    }
}

/// As it is typed, with everything named.
impl fmt::Display for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |on| if on { "on" } else { "off" };
        write!(f, "echo={},noise={},gain={}", word(self.echo), self.noise, word(self.gain))
    }
}

impl FromStr for Voice {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "on" => return Ok(Self::ON),
            "off" => return Ok(Self::OFF),
            _ => {}
        }
        let wrong = || {
            let words = "on, off, or some of echo=on|off,noise=off|standard|strong,gain=on|off";
            ParseError::Unknown(text.to_owned(), "voice processing", words)
        };
        let switch = |word: &str| match word {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(wrong()),
        };
        let mut change = Change::default();
        for part in text.split(',') {
            let named_twice = match part.split_once('=').ok_or_else(wrong)? {
                ("echo", word) => change.echo.replace(switch(word)?).is_some(),
                ("noise", word) => change.noise.replace(word.parse().map_err(|_| wrong())?).is_some(),
                ("gain", word) => change.gain.replace(switch(word)?).is_some(),
                _ => return Err(wrong()),
            };
            if named_twice {
                return Err(wrong());
            }
        }
        Ok(Self::ON.with(change))
    }
}

/// What a command changes; `None` stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// See [`Voice::echo`].
    pub echo: Option<bool>,
    /// See [`Voice::noise`].
    pub noise: Option<Noise>,
    /// See [`Voice::gain`].
    pub gain: Option<bool>,
}

impl Change {
    /// Nothing is named.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl From<Voice> for Change {
    fn from(Voice { echo, noise, gain }: Voice) -> Self {
        Self { echo: Some(echo), noise: Some(noise), gain: Some(gain) }
    }
}

/// Which sources are processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sources {
    /// Real microphones: there is no room around a file or a tone.
    #[default]
    Devices,
    /// All of them: somebody asked for it.
    All,
}

/// What is asked for, whichever source comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// The processing.
    pub voice: Voice,
    /// Of what.
    pub sources: Sources,
}

impl Default for Wish {
    fn default() -> Self {
        Self { voice: Voice::ON, sources: Sources::Devices }
    }
}

impl Wish {
    /// With what a command changes. Once all sources are meant, they stay meant.
    #[must_use]
    pub fn with(self, change: Change, sources: Sources) -> Self {
        let sources = if sources == Sources::All { sources } else { self.sources };
        Self { voice: self.voice.with(change), sources }
    }

    /// What is done to `source`.
    pub fn of(self, source: &Microphone) -> Voice {
        match (self.sources, source) {
            (Sources::All, _) | (Sources::Devices, Microphone::Device(_)) => self.voice,
            (Sources::Devices, _) => Voice::OFF,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voices_parse_and_print_as_typed() {
        let check = |text: &str, expect: Option<Voice>| assert_eq!(text.parse().ok(), expect, "{text}");
        check("on", Some(Voice::ON));
        check("off", Some(Voice::OFF));
        check("gain=off", Some(Voice { gain: false, ..Voice::ON }));
        check("noise=strong,echo=off", Some(Voice { echo: false, noise: Noise::Strong, gain: true }));
        for bad in ["", "echo", "echo=1", "noise=on", "gain=on,gain=on", "on,echo=off", "echo=on,", "reverb=on"] {
            check(bad, None);
        }
        for voice in [Voice::ON, Voice::OFF, Voice { noise: Noise::Strong, ..Voice::ON }] {
            assert_eq!(voice.to_string().parse(), Ok(voice));
        }
    }

    #[test]
    fn files_and_tones_are_processed_only_where_that_is_asked() {
        let (tone, device) = (Microphone::Tone, "device".parse().expect("a word"));
        let wish = Wish::default();
        assert_eq!((wish.of(&tone), wish.of(&device)), (Voice::OFF, Voice::ON));
        assert_eq!(Wish { sources: Sources::All, ..wish }.of(&tone), Voice::ON);
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let change = Change { noise: Some(Noise::Off), ..Change::default() };
        assert_eq!(Voice::ON.with(change), Voice { noise: Noise::Off, ..Voice::ON });
        assert_eq!(Voice::ON.with(Voice::OFF.into()), Voice::OFF);
        assert!(Change::default().is_empty() && !change.is_empty());
    }
}
