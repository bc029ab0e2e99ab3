//! Every size and colour of the window, by role. A [`Look`] is what a view needs to know of it: the colours of the theme,
//! the scale of the text and whether things may move. Views pass it along; nothing else names a colour.
//!
//! Three themes share the roles: dark, light and high contrast. Pairs of text and ground are checked by a test: 4.5 to 1
//! at least (WCAG 2.2, 1.4.3), 7 to 1 for the high contrast (1.4.6).

use iced::font::Weight;
use iced::{Color, Font, Pixels};
use serde::{Deserialize, Serialize};

/// The grid that everything is aligned to.
pub const GRID: f32 = 8.0;
/// Half a step of the grid, for what belongs together.
pub const HALF: f32 = 4.0;
/// Space inside of cards and around screens.
pub const PAD: f32 = 16.0;
/// Space between the sections of a screen.
pub const GAP: f32 = 24.0;
/// Corners of everything that is not a circle.
pub const RADIUS: f32 = 8.0;
/// Height of buttons, fields and pickers at the normal text size.
pub const CONTROL: f32 = 40.0;
/// Height of small buttons in lists.
pub const CONTROL_SMALL: f32 = 32.0;
/// A round button of the control bar.
pub const ROUND: f32 = 48.0;
/// Width of the right panel.
pub const PANEL: f32 = 320.0;
/// Height of the control bar with the line above it.
pub const BAR: f32 = 92.0;
/// Width of the left side of the lobby.
pub const YOU: f32 = 360.0;
/// Most width of the lobby: longer lines are hard to follow.
pub const LOBBY: f32 = 1280.0;
/// The side of an invitation's QR code: a camera reads it from the other side of a desk.
pub const QR: f32 = 232.0;
/// Below this width the panel covers the stage.
pub const NARROW: f32 = 900.0;
/// The ring around somebody who speaks, and around what has the keyboard.
pub const RING: f32 = 3.0;
/// The frame rate at which anything moves on its own.
pub const TICK_MS: u64 = 33;

/// Which theme a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// As the system has it; dark where it does not say.
    #[default]
    System,
    /// Dark.
    Dark,
    /// Light.
    Light,
    /// Black, white and strong colours.
    Contrast,
}

/// The colours of one theme, by role.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Colours {
    /// Behind everything.
    pub ground: Color,
    /// Cards and panels.
    pub surface: Color,
    /// Buttons, fields and bubbles on cards.
    pub raised: Color,
    /// Lines and borders.
    pub line: Color,
    /// Text.
    pub text: Color,
    /// Text that matters less.
    pub quiet: Color,
    /// What to press, who speaks, what is chosen.
    pub accent: Color,
    /// Text on the accent.
    pub on_accent: Color,
    /// Behind what is chosen.
    pub accent_ground: Color,
    /// Fine.
    pub good: Color,
    /// Look here.
    pub caution: Color,
    /// Leaving, and danger.
    pub danger: Color,
    /// Text on danger.
    pub on_danger: Color,
    /// Behind a private line.
    pub private: Color,
    /// Around a private line.
    pub private_line: Color,
    /// Words about a private line.
    pub private_text: Color,
    /// Behind pictures.
    pub stage: Color,
    /// Behind words over a picture.
    pub veil: Color,
    /// Words over a picture.
    pub on_veil: Color,
}

const fn rgb(hex: u32) -> Color {
    let [_, r, g, b] = hex.to_be_bytes();
    Color::from_rgb8(r, g, b)
}

const VEIL: Color = Color { a: 0.8, ..rgb(0x000f_1216) };

/// Dark.
pub const DARK: Colours = Colours {
    ground: rgb(0x000f_1216),
    surface: rgb(0x0016_1a20),
    raised: rgb(0x001e_242c),
    line: rgb(0x002a_323d),
    text: rgb(0x00e9_edf2),
    quiet: rgb(0x009a_a6b2),
    accent: rgb(0x005b_8cff),
    on_accent: rgb(0x000b_0e12),
    accent_ground: rgb(0x0020_304f),
    good: rgb(0x0035_c48d),
    caution: rgb(0x00f2_b84b),
    danger: rgb(0x00ef_5a5f),
    on_danger: rgb(0x000b_0e12),
    private: rgb(0x002a_2440),
    private_line: rgb(0x004a_3f75),
    private_text: rgb(0x00b3_a5f0),
    stage: rgb(0x001a_1f27),
    veil: VEIL,
    on_veil: rgb(0x00ff_ffff),
};

/// Light.
pub const LIGHT: Colours = Colours {
    ground: rgb(0x00f4_f6f8),
    surface: rgb(0x00ff_ffff),
    raised: rgb(0x00ed_f0f4),
    line: rgb(0x00cf_d6de),
    text: rgb(0x0014_1920),
    quiet: rgb(0x0051_5c69),
    accent: rgb(0x0026_55d8),
    on_accent: rgb(0x00ff_ffff),
    accent_ground: rgb(0x00dd_e7ff),
    good: rgb(0x000f_6e47),
    caution: rgb(0x0085_5200),
    danger: rgb(0x00c0_252c),
    on_danger: rgb(0x00ff_ffff),
    private: rgb(0x00ef_eaff),
    private_line: rgb(0x00b8_a9ee),
    private_text: rgb(0x005a_43b8),
    stage: rgb(0x00e3_e8ee),
    veil: VEIL,
    on_veil: rgb(0x00ff_ffff),
};

/// High contrast.
pub const CONTRAST: Colours = Colours {
    ground: rgb(0x0000_0000),
    surface: rgb(0x0000_0000),
    raised: rgb(0x0014_1414),
    line: rgb(0x00ff_ffff),
    text: rgb(0x00ff_ffff),
    quiet: rgb(0x00e6_e6e6),
    accent: rgb(0x0080_b4ff),
    on_accent: rgb(0x0000_0000),
    accent_ground: rgb(0x0000_2a6b),
    good: rgb(0x0050_ffa8),
    caution: rgb(0x00ff_d34d),
    danger: rgb(0x00ff_8f8f),
    on_danger: rgb(0x0000_0000),
    private: rgb(0x001a_0f3d),
    private_line: rgb(0x00c9_b3ff),
    private_text: rgb(0x00d6_c6ff),
    stage: rgb(0x0000_0000),
    veil: rgb(0x0000_0000),
    on_veil: rgb(0x00ff_ffff),
};

/// The colours of people, chosen by their key; each carries dark initials.
pub const PEOPLE: [Color; 8] = [
    rgb(0x005b_8cff),
    rgb(0x0035_c48d),
    rgb(0x00d6_8cff),
    rgb(0x00ff_9d66),
    rgb(0x0066_d0ff),
    rgb(0x00f2_b84b),
    rgb(0x00ff_8fb1),
    rgb(0x00a8_d65c),
];
/// Initials on [`PEOPLE`].
pub const ON_PEOPLE: Color = rgb(0x000b_0e12);

/// A size of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 12: what matters less.
    Small,
    /// 14: most text.
    Body,
    /// 16: titles of cards.
    Large,
    /// 24: titles of screens.
    Title,
}

/// Inter, the text of the window.
pub const REGULAR: Font = Font::with_name("Inter");
/// Inter, medium.
pub const MEDIUM: Font = Font { weight: Weight::Medium, ..REGULAR };
/// Inter, for titles and names.
pub const STRONG: Font = Font { weight: Weight::Semibold, ..REGULAR };

/// Emoji in colour, where the system has this font; else the system's own.
pub const EMOJI: Font = Font::with_name("Noto Color Emoji");

/// The files of [`REGULAR`], [`MEDIUM`], [`STRONG`] and of the icons, for `Application::font`.
pub const FONTS: [&[u8]; 4] = [
    include_bytes!("../../assets/fonts/Inter-Regular.otf"),
    include_bytes!("../../assets/fonts/Inter-Medium.otf"),
    include_bytes!("../../assets/fonts/Inter-SemiBold.otf"),
    lucide_icons::LUCIDE_FONT_BYTES,
];

/// What a view needs to know of the looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// The theme's colours.
    pub colours: &'static Colours,
    /// 1 to 2: how large text is.
    pub text_scale: f32,
    /// Things may move on their own.
    pub motion: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { colours: &DARK, text_scale: 1.0, motion: true }
    }
}

impl Look {
    /// The look of a choice; `light` is what the system prefers.
    pub fn new(choice: Choice, light: bool, text_percent: u16, motion: bool) -> Self {
        let colours = match choice {
            Choice::System if light => &LIGHT,
            Choice::System | Choice::Dark => &DARK,
            Choice::Light => &LIGHT,
            Choice::Contrast => &CONTRAST,
        };
        Self { colours, text_scale: f32::from(text_percent.clamp(100, 200)) / 100.0, motion }
    }

    /// The colours for what lies on a veil over a picture, which is dark in every theme.
    pub fn over_picture(&self) -> &'static Colours {
        if *self.colours == CONTRAST { &CONTRAST } else { &DARK }
    }

    /// Pixels of a text size.
    pub fn size(&self, size: Size) -> Pixels {
        let base = match size {
            Size::Small => 12.0,
            Size::Body => 14.0,
            Size::Large => 16.0,
            Size::Title => 24.0,
        };
        Pixels(base * self.text_scale)
    }

    /// A height or width that grows with the text.
    pub fn scaled(&self, pixels: f32) -> f32 {
        pixels * self.text_scale
    }

    /// The theme that iced's own widgets take their defaults from.
    pub fn iced(&self) -> iced::Theme {
        let colours = self.colours;
        let palette = iced::theme::Palette {
            background: colours.ground,
            text: colours.text,
            primary: colours.accent,
            success: colours.good,
            warning: colours.caution,
            danger: colours.danger,
        };
        iced::Theme::custom("Lets Meet", palette)
    }
}

/// Contrast of two opaque colours, 1 to 21 (WCAG 2.2).
pub fn contrast(a: Color, b: Color) -> f32 {
    let luminance = |colour: Color| {
        let linear = |v: f32| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
        0.2126 * linear(colour.r) + 0.7152 * linear(colour.g) + 0.0722 * linear(colour.b)
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_can_be_read_on_every_ground_it_stands_on() {
        for (name, colours, least) in [("dark", &DARK, 4.5), ("light", &LIGHT, 4.5), ("contrast", &CONTRAST, 7.0)] {
            let grounds = [colours.ground, colours.surface, colours.raised];
            let mut pairs = Vec::new();
            for ground in grounds {
                for text in [colours.text, colours.quiet, colours.accent, colours.good, colours.caution, colours.danger]
                {
                    pairs.push((text, ground));
                }
            }
            pairs.push((colours.on_accent, colours.accent));
            pairs.push((colours.on_danger, colours.danger));
            pairs.push((colours.text, colours.accent_ground));
            pairs.push((colours.text, colours.private));
            pairs.push((colours.private_text, colours.surface));
            pairs.push((colours.private_text, colours.private));
            pairs.push((colours.text, colours.stage));
            pairs.push((colours.quiet, colours.stage));
            // Words over a picture must be read on white pictures too.
            let over_white = Color { a: 1.0, ..mixed(colours.veil, Color::WHITE) };
            pairs.push((colours.on_veil, over_white));
            // Icons there: 3 to 1 (1.4.11).
            let over = Look { colours, ..Look::default() }.over_picture();
            for icon in [over.good, over.caution, over.danger] {
                assert!(contrast(icon, over_white) >= 3.0, "{name}: {icon:?} on a veil");
            }
            for (text, ground) in pairs {
                let found = contrast(text, ground);
                assert!(found >= least, "{name}: {text:?} on {ground:?} has {found:.2}");
            }
        }
        for ground in PEOPLE {
            assert!(contrast(ON_PEOPLE, ground) >= 4.5, "{ground:?}");
        }
    }

    fn mixed(over: Color, under: Color) -> Color {
        let mix = |o: f32, u: f32| o * over.a + u * (1.0 - over.a);
        Color::from_rgb(mix(over.r, under.r), mix(over.g, under.g), mix(over.b, under.b))
    }

    #[test]
    fn contrast_is_as_the_standard_computes_it() {
        assert!((contrast(Color::WHITE, Color::BLACK) - 21.0).abs() < 0.01);
        assert!((contrast(Color::WHITE, Color::WHITE) - 1.0).abs() < 0.01);
    }
}
