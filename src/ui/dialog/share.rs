//! Which display or window is to be shared.

use iced::Element;
use iced::widget::{Column, column};

use super::words;
use crate::av::spec;
use crate::engine::devices::{Device, SHARES_SOUND};
use crate::meeting::Command;
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::theme::{GAP, GRID};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::field;
use crate::ui::widget::label::section;
use crate::ui::widget::quiet;

/// What was pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Share this.
    Choose(spec::Screen),
    /// Whether what other programs play is shared with it.
    Sound(bool),
    /// Look again what there is.
    Again,
}

/// One thing that was done.
pub fn update(message: Message) -> Action {
    match message {
        Message::Choose(screen) => {
            Action::Close.and(Action::Engine(Command::Screen { on: true, source: Some(screen) }))
        }
        Message::Sound(on) => {
            let audio = if on { spec::ScreenAudio::On } else { spec::ScreenAudio::Off };
            Action::Engine(Command::ScreenAudio(audio))
        }
        Message::Again => Action::ListScreens,
    }
}

/// The picture of it.
pub fn view<'a>(context: Context<'a>) -> Element<'a, Message> {
    let look = context.look;
    let all = context.model.screens.as_deref();
    let one = |device: &Device, screen: spec::Screen| {
        let size = device.size.map(|(width, height)| format!(" ({width}x{height})")).unwrap_or_default();
        let icon = if matches!(screen, spec::Screen::Window(_)) { Icon::Window } else { Icon::Screen };
        button::with_words(look, Kind::Plain, format!("{}{size}", device.name))
            .icon(icon)
            .wide()
            .left()
            .id(format!("share-{}", device.id))
            .on_press(Message::Choose(screen))
    };
    let list = |name: &'static str, windows: bool| {
        let fits = |device: &&Device| {
            let screen: spec::Screen = device.id.parse().ok()?;
            (matches!(screen, spec::Screen::Window(_)) == windows).then_some(screen)
        };
        let all = all.unwrap_or_default().iter();
        let found: Vec<Element<'a, Message>> =
            all.filter_map(|device| Some(one(device, fits(&device)?).into())).collect();
        (!found.is_empty())
            .then(|| column![section(look, name), Column::with_children(found).spacing(GRID)].spacing(GRID))
    };
    let state = match all {
        None => Some(quiet(look, words::SCREENS_COMING)),
        Some([]) => Some(quiet(look, words::NO_SCREENS)),
        Some(_) => None,
    };
    let again = button::with_words(look, Kind::Plain, words::LOOK_AGAIN)
        .icon(Icon::Again)
        .id("screens-again")
        .on_press(Message::Again);
    let lists = column![list(words::DISPLAYS, false), list(words::WINDOWS, true)].spacing(GAP);
    let sound = SHARES_SOUND.then(|| {
        let meeting = context.model.meeting.as_ref();
        let on = meeting.is_some_and(|meeting| meeting.settings.screen_audio != spec::ScreenAudio::Off);
        field::switch(look, "share-sound", words::SHARE_SOUND, on, Message::Sound)
    });
    column![quiet(look, words::SHARE_HOW), state, lists, sound, super::buttons([again])].spacing(GAP).into()
}
