//! The files panel: what is sent and received, the newest first.

use std::path::PathBuf;

use iced::widget::{center, column, container, row};
use iced::{Alignment, Element, Length, Padding};

use super::recipients::{self, Recipients};
use super::{name_of, transfer};
use crate::meeting::Direction;
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::icon::Icon;
use crate::ui::model::Model;
use crate::ui::model::transfers::Transfer;
use crate::ui::session::Pasted;
use crate::ui::text::{chat as chat_text, files as text};
use crate::ui::theme::{PAD, RADIUS, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::filled;
use crate::ui::widget::feed::{Rest, feed};
use crate::ui::widget::{divider, label, quiet};

/// Its state: to whom the next files go.
#[derive(Debug, Default)]
pub struct Files {
    recipients: Recipients,
    // Files that were pasted or dropped on the window and wait for a word.
    staged: Vec<PathBuf>,
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {
    /// To whom.
    To(recipients::Message),
    /// Pick files to send.
    Pick,
    /// Send what was pasted.
    SendStaged,
    /// Do not.
    DropStaged,
    /// On one of them.
    Transfer(transfer::Message),
    /// Forget those that ended.
    Clear,
    /// Show where files land.
    OpenFolder,
}

impl Files {
    /// One thing that was done.
    pub fn update(&mut self, message: Message, model: &mut Model, choices: &Choices) -> Action {
        match message {
            Message::To(message) => {
                self.recipients.update(message);
                Action::None
            }
            Message::Pick => self.recipients.who().map_or(Action::None, Action::PickFiles),
            Message::SendStaged => match self.recipients.who() {
                Some(to) => Action::SendFiles(std::mem::take(&mut self.staged), to),
                None => Action::None,
            },
            Message::DropStaged => {
                self.staged.clear();
                Action::None
            }
            Message::Transfer(message) => transfer::perform(message),
            Message::Clear => {
                model.transfers.clear_ended();
                Action::None
            }
            Message::OpenFolder => {
                let folder = choices.download_dir.clone().or_else(crate::platform::default_downloads);
                folder.map_or(Action::None, Action::Reveal)
            }
        }
    }

    /// What was on the clipboard, or dropped: files wait for a word.
    pub fn on_pasted(&mut self, pasted: Pasted) -> Action {
        if let Pasted::Files(files) = pasted {
            super::stage(&mut self.staged, files);
        }
        Action::None
    }

    /// Something of it is open that Esc closes. True when it closed something.
    pub fn on_escape(&mut self) -> bool {
        if self.recipients.is_open() {
            self.recipients.update(recipients::Message::Open(false));
            return true;
        }
        !std::mem::take(&mut self.staged).is_empty()
    }

    /// The panel, without the tabs above it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        column![self.list(context), divider(context.look), self.sending(context)].into()
    }

    fn list<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let all = context.model.transfers.all();
        if all.is_empty() {
            let icon = Icon::Files.coloured(look, Size::Title, look.colours.quiet);
            let words = column![icon, label(look, text::EMPTY), quiet(look, text::HOW).align_x(Alignment::Center)];
            return center(words.spacing(8).align_x(Alignment::Center)).padding(PAD).into();
        }
        let newest = move |index: usize| all.len().checked_sub(index + 1).and_then(|at| all.get(at));
        let list = feed(
            look,
            Rest::Top,
            all.len(),
            move |index| newest(index).map_or(0, |transfer| transfer.number),
            move |index| match newest(index) {
                Some(transfer) => line(context, transfer),
                None => iced::widget::space().into(),
            },
        );
        list.id("files").padding([8.0, PAD]).into()
    }

    fn sending<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let c = look.colours;
        let to = self.recipients.who();
        let mut all = column![].spacing(8);
        if let Some(meeting) = &context.model.meeting {
            if let Some(list) = self.recipients.list(context, meeting) {
                all = all.push(list.map(Message::To));
            }
            all = all.push(self.recipients.button(context, meeting, "files-to").map(Message::To));
        }
        if !self.staged.is_empty() {
            let names: Vec<String> = self
                .staged
                .iter()
                .map(|path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned())
                .collect();
            let send = button::with_words(look, Kind::Primary, chat_text::SEND).small().id("staged-send");
            let send = send.on_press_maybe(to.as_ref().map(|_| Message::SendStaged));
            let no = button::with_icon(look, Kind::Quiet, Icon::Close, chat_text::DROP_STAGED).small();
            let no = no.id("staged-drop").on_press(Message::DropStaged);
            let words = label(look, chat_text::staged(&names)).width(Length::Fill);
            let inside = row![words, send, no].spacing(8).align_y(Alignment::Center);
            all = all.push(container(inside).padding([6, 10]).style(move |_| filled(c.raised, Some(c.accent), RADIUS)));
        }
        let pick =
            button::with_words(look, Kind::Primary, text::SEND_FILES).icon(Icon::DropFile).wide().id("files-pick");
        let folder = button::with_icon(look, Kind::Plain, Icon::Folder, text::OPEN_DOWNLOADS).id("files-folder");
        let pick = pick.on_press_maybe(to.map(|_| Message::Pick));
        all = all.push(row![Element::from(pick), Element::from(folder.on_press(Message::OpenFolder))].spacing(8));
        if !context.model.transfers.all().is_empty() {
            let ended = context.model.transfers.ended() > 0;
            let clear = button::with_words(look, Kind::Quiet, text::CLEAR).small().id("files-clear");
            let clear = ended.then(|| Element::from(clear.on_press(Message::Clear)));
            all = all.push(quiet(look, text::HOW)).push(clear);
        }
        container(all).padding(12).width(Length::Fill).into()
    }
}

fn line<'a>(context: Context<'a>, transfer: &'a Transfer) -> Element<'a, Message> {
    let meeting = context.model.meeting.as_ref();
    let name = meeting.map_or_else(|| transfer.person.name.to_string(), |meeting| name_of(meeting, &transfer.person));
    let whose = match transfer.direction {
        Direction::In => text::from(&name),
        Direction::Out => text::to(&name),
    };
    let row = transfer::one(context.look, transfer, Some(whose)).map(Message::Transfer);
    container(row).padding(Padding { bottom: 8.0, ..Padding::ZERO }).into()
}

#[cfg(test)]
mod tests;
