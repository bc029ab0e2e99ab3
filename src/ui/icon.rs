//! The icons of the window: Lucide, by what they mean here.

use iced::Color;
use iced::widget::Text;
use iced::widget::text;
use lucide_icons::Icon as Glyph;

use super::theme::{Look, Size};

/// An icon by its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each name says what it is")]
pub enum Icon {
    App,
    Microphone,
    MicrophoneOff,
    Camera,
    CameraOff,
    Speaker,
    Hand,
    React,
    More,
    Leave,
    Call,
    Answer,
    Chat,
    People,
    Files,
    Stats,
    Settings,
    Doctor,
    Plus,
    Code,
    Close,
    Check,
    Verified,
    Unverified,
    Warning,
    Info,
    Lock,
    DropFile,
    File,
    Folder,
    Attach,
    Again,
    Emoji,
    Send,
    Down,
    Up,
    Left,
    Grid,
    Speaking,
    Pin,
    Unpin,
    Copy,
    Link,
    Expand,
    Shrink,
    Download,
    Json,
    Sent,
    Received,
    Keyboard,
    Appearance,
    Profile,
    Network,
    Privacy,
    Quality,
    Voice,
    Key,
    Edit,
    Play,
    Signal,
    SignalLow,
    SignalNone,
    Eye,
    EyeOff,
    Secure,
    Screen,
    ScreenOff,
    Window,
}

impl Icon {
    const fn glyph(self) -> Glyph {
        match self {
            Self::App | Self::People => Glyph::UsersRound,
            Self::Microphone => Glyph::Mic,
            Self::MicrophoneOff => Glyph::MicOff,
            Self::Camera => Glyph::Video,
            Self::CameraOff => Glyph::VideoOff,
            Self::Speaker => Glyph::Volume2,
            Self::Hand => Glyph::Hand,
            Self::React => Glyph::SmilePlus,
            Self::More => Glyph::Ellipsis,
            Self::Leave => Glyph::PhoneOff,
            Self::Call | Self::Answer => Glyph::Phone,
            Self::Chat => Glyph::MessageSquare,
            Self::Files => Glyph::Files,
            Self::Stats => Glyph::ChartLine,
            Self::Settings => Glyph::Settings,
            Self::Doctor => Glyph::Stethoscope,
            Self::Plus => Glyph::Plus,
            Self::Code => Glyph::QrCode,
            Self::Close => Glyph::X,
            Self::Check => Glyph::Check,
            Self::Verified => Glyph::BadgeCheck,
            Self::Unverified => Glyph::ShieldQuestionMark,
            Self::Warning => Glyph::TriangleAlert,
            Self::Info => Glyph::Info,
            Self::Lock => Glyph::Lock,
            Self::DropFile => Glyph::FileUp,
            Self::File => Glyph::File,
            Self::Folder => Glyph::FolderOpen,
            Self::Attach => Glyph::Paperclip,
            Self::Again => Glyph::RotateCw,
            Self::Emoji => Glyph::Smile,
            Self::Send => Glyph::SendHorizontal,
            Self::Down => Glyph::ChevronDown,
            Self::Up => Glyph::ChevronUp,
            Self::Left => Glyph::ChevronLeft,
            Self::Grid => Glyph::LayoutGrid,
            Self::Speaking => Glyph::LayoutPanelTop,
            Self::Pin => Glyph::Pin,
            Self::Unpin => Glyph::PinOff,
            Self::Copy => Glyph::Copy,
            Self::Link => Glyph::Link,
            Self::Expand => Glyph::Maximize2,
            Self::Shrink => Glyph::Minimize2,
            Self::Download => Glyph::Download,
            Self::Json => Glyph::Braces,
            Self::Sent => Glyph::ArrowUp,
            Self::Received => Glyph::ArrowDown,
            Self::Keyboard => Glyph::Keyboard,
            Self::Appearance => Glyph::SunMoon,
            Self::Profile => Glyph::CircleUserRound,
            Self::Network => Glyph::Network,
            Self::Privacy => Glyph::Shield,
            Self::Quality => Glyph::SlidersHorizontal,
            Self::Voice => Glyph::AudioLines,
            Self::Key => Glyph::KeyRound,
            Self::Edit => Glyph::Pencil,
            Self::Play => Glyph::Play,
            Self::Signal => Glyph::Signal,
            Self::SignalLow => Glyph::SignalMedium,
            Self::SignalNone => Glyph::SignalZero,
            Self::Eye => Glyph::Eye,
            Self::EyeOff => Glyph::EyeOff,
            Self::Secure => Glyph::ShieldCheck,
            Self::Screen => Glyph::ScreenShare,
            Self::ScreenOff => Glyph::ScreenShareOff,
            Self::Window => Glyph::AppWindow,
        }
    }

    /// The icon in the colour of the text around it, as large as text of `size` wants it.
    pub fn view<'a>(self, look: Look, size: Size) -> Text<'a> {
        let pixels = look.size(size).0 * 1.15;
        text(char::from(self.glyph()).to_string())
            .font(iced::Font::with_name("lucide"))
            .size(pixels)
            .line_height(iced::widget::text::LineHeight::Relative(1.0))
            .shaping(iced::widget::text::Shaping::Basic)
    }

    /// The icon in a colour.
    pub fn coloured<'a>(self, look: Look, size: Size, colour: Color) -> Text<'a> {
        self.view(look, size).color(colour)
    }
}
