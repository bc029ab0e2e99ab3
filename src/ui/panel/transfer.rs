//! One transfer as the chat and the files panel show it: its name, how far it is, and what can be done.

use std::path::PathBuf;

use iced::widget::{Column, column, container, progress_bar, row};
use iced::{Alignment, Element, Length};

use crate::id::{PeerId, TransferId};
use crate::meeting::{Command, Direction, FileStage};
use crate::ui::action::Action;
use crate::ui::icon::Icon;
use crate::ui::model::chat::File;
use crate::ui::model::transfers::{Transfer, Transfers};
use crate::ui::text::{self, files as words};
use crate::ui::theme::{HALF, Look, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::filled;
use crate::ui::widget::{quiet, strong};

/// What was pressed.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Take it.
    Accept(TransferId),
    /// Refuse it.
    Decline(TransferId),
    /// End these.
    Cancel(Vec<TransferId>),
    /// Show where it lies.
    Reveal(PathBuf),
    /// Offer it once more.
    Again(PathBuf, PeerId),
}

/// What a press asks of the root.
pub fn perform(message: Message) -> Action {
    match message {
        Message::Accept(id) => Action::Engine(Command::AcceptFile(id)),
        Message::Decline(id) => Action::Engine(Command::DeclineFile(id)),
        Message::Cancel(ids) => {
            Action::Many(ids.into_iter().map(|id| Action::Engine(Command::CancelFile(id))).collect())
        }
        Message::Reveal(path) => Action::Reveal(path),
        Message::Again(path, peer) => Action::SendFiles(vec![path], vec![peer.to_string()]),
    }
}

/// How a transfer stands, in words.
fn status(transfer: &Transfer) -> String {
    match (&transfer.stage, transfer.direction) {
        (FileStage::Offer, Direction::In) => text::bytes(transfer.size),
        (FileStage::Offer, Direction::Out) => words::WAITING.to_owned(),
        (FileStage::Accepted, _) => words::STARTING.to_owned(),
        (FileStage::Progress { .. }, _) => words::progress(transfer.part(), transfer.rate, transfer.eta_ms),
        (FileStage::Done { .. }, Direction::In) => words::RECEIVED.to_owned(),
        (FileStage::Done { .. }, Direction::Out) => words::DELIVERED.to_owned(),
        (FileStage::Declined, Direction::In) => words::YOU_DECLINED.to_owned(),
        (FileStage::Declined, Direction::Out) => words::DECLINED.to_owned(),
        (FileStage::Failed { reason, .. }, _) => words::failed(reason).to_owned(),
    }
}

fn bar<'a>(look: Look, part: f32) -> Element<'a, Message> {
    let c = look.colours;
    progress_bar(0.0..=1.0, part)
        .girth(HALF)
        .style(move |_| progress_bar::Style {
            background: c.line.into(),
            bar: c.accent.into(),
            border: iced::Border { radius: 2.0.into(), ..iced::Border::default() },
        })
        .into()
}

/// The box around a file.
fn frame<'a>(
    look: Look,
    middle: Column<'a, Message>,
    side: Option<Element<'a, Message>>,
    failed: bool,
) -> Element<'a, Message> {
    let c = look.colours;
    let icon = if failed {
        Icon::Warning.coloured(look, Size::Large, c.danger)
    } else {
        Icon::File.coloured(look, Size::Large, c.quiet)
    };
    let inside = row![icon, middle.spacing(HALF).width(Length::Fill), side].spacing(12).align_y(Alignment::Center);
    container(inside).padding([10, 12]).width(Length::Fill).style(move |_| filled(c.raised, None, 8.0)).into()
}

fn head<'a>(look: Look, name: &str, size: u64) -> Element<'a, Message> {
    row![strong(look, name.to_owned()), quiet(look, text::bytes(size))]
        .spacing(HALF)
        .align_y(Alignment::Center)
        .wrap()
        .into()
}

fn small<'a>(look: Look, icon: Icon, tip: &str, id: String, message: Message) -> Element<'a, Message> {
    button::with_icon(look, Kind::Quiet, icon, tip).small().id(id).on_press(message).into()
}

/// One transfer. `whose` says in words from or to whom, where that is not plain from where it stands.
pub fn one<'a>(look: Look, transfer: &Transfer, whose: Option<String>) -> Element<'a, Message> {
    let id = transfer.id;
    let moving = matches!(transfer.stage, FileStage::Accepted | FileStage::Progress { .. });
    let failed = matches!(transfer.stage, FileStage::Failed { .. });
    let mut middle = column![head(look, &transfer.file, transfer.size)];
    if let Some(whose) = whose {
        middle = middle.push(quiet(look, whose));
    }
    if moving {
        middle = middle.push(bar(look, transfer.part()));
    }
    if transfer.asks() {
        let accept = button::with_words(look, Kind::Primary, words::ACCEPT).small();
        let decline = button::with_words(look, Kind::Plain, words::DECLINE).small();
        let answers = row![
            accept.id(format!("accept-{id}")).on_press(Message::Accept(id)),
            decline.id(format!("decline-{id}")).on_press(Message::Decline(id)),
        ];
        middle = middle.push(answers.spacing(8).wrap().vertical_spacing(8));
    } else {
        middle = middle.push(quiet(look, status(transfer)));
    }
    let side = match &transfer.stage {
        FileStage::Done { path, .. } => {
            Some(small(look, Icon::Folder, text::OPEN_FOLDER, format!("open-{id}"), Message::Reveal(path.clone())))
        }
        FileStage::Failed { .. } => transfer.source.clone().map(|path| {
            let again = Message::Again(path, transfer.person.peer);
            small(look, Icon::Again, words::AGAIN, format!("again-{id}"), again)
        }),
        FileStage::Declined => None,
        _ if transfer.asks() => None,
        _ => Some(small(look, Icon::Close, words::CANCEL, format!("cancel-{id}"), Message::Cancel(vec![id]))),
    };
    frame(look, middle, side, failed)
}

/// A file of the chat: one offered to us, or one of ours with all whom it was offered to.
pub fn entry<'a>(look: Look, transfers: &Transfers, file: &File) -> Element<'a, Message> {
    let known: Vec<&Transfer> =
        file.transfers.iter().filter_map(|(id, person)| transfers.get(*id, person.peer, file.mine)).collect();
    match known.as_slice() {
        // Forgotten: only that there was one.
        [] => frame(look, column![head(look, &file.name, file.size)], None, false),
        [one] => self::one(look, one, None),
        all => {
            let have = all.iter().filter(|transfer| matches!(transfer.stage, FileStage::Done { .. })).count();
            let running: Vec<&&Transfer> = all.iter().filter(|transfer| !transfer.is_over()).collect();
            let mut middle = column![head(look, &file.name, file.size)];
            if !running.is_empty() {
                let whole: f32 =
                    all.iter().map(|transfer| if transfer.is_over() { 1.0 } else { transfer.part() }).sum();
                let count = f32::from(u16::try_from(all.len()).unwrap_or(u16::MAX));
                middle = middle.push(bar(look, whole / count));
            }
            middle = middle.push(quiet(look, words::have_it(have, all.len())));
            let ids: Vec<TransferId> = running.iter().map(|transfer| transfer.id).collect();
            let side = ids.first().copied().map(|first| {
                let id = format!("cancel-{first}");
                small(look, Icon::Close, words::CANCEL_ALL, id, Message::Cancel(ids))
            });
            frame(look, middle, side, false)
        }
    }
}
