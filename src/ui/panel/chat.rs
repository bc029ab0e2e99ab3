//! The chat panel: what was said, and the field to say something.
//!
//! Only what is in view is built ([`feed`]). A line is pressed to act on it: copy it, copy its link, answer only to its
//! author. Links are never opened from here: who sends one decides where it leads, and a copied link can be read first.

mod composer;
mod line;

use std::collections::VecDeque;
use std::path::PathBuf;

use iced::widget::{center, column, container, text_editor};
use iced::{Alignment, Element, Length};

use super::recipients::{self, Recipients, To};
use super::transfer;
use crate::meeting::{Command, Person};
use crate::share::MAX_CHAT_BYTES;
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::icon::Icon;
use crate::ui::model::Model;
use crate::ui::model::chat::Entry;
use crate::ui::model::meeting::Meeting;
use crate::ui::session::Pasted;
use crate::ui::text::chat as text;
use crate::ui::theme::PAD;
use crate::ui::toast::{Toast, Tone};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::feed::{Rest, feed};
use crate::ui::widget::{divider, label, quiet};

/// The name of the field, for the keyboard's focus.
pub const FIELD: &str = "chat-field";
/// Long lines that are shown whole.
const MOST_WHOLE: usize = 64;

/// Its state: what is typed and to whom, and where one reads.
#[derive(Debug)]
pub struct Chat {
    recipients: Recipients,
    field: text_editor::Content,
    emoji: bool,
    // Files that were pasted or dropped on the window and wait for a word.
    staged: Vec<PathBuf>,
    // The line that was pressed, by its key.
    chosen: Option<u64>,
    // Long lines that are shown whole. At most MOST_WHOLE, the oldest is folded again.
    whole: VecDeque<u64>,
    at_end: bool,
    jump: u64,
    open: bool,
}

impl Default for Chat {
    fn default() -> Self {
        Self {
            recipients: Recipients::default(),
            field: text_editor::Content::new(),
            emoji: false,
            staged: Vec::new(),
            chosen: None,
            whole: VecDeque::new(),
            at_end: true,
            jump: 0,
            open: false,
        }
    }
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {
    /// In the field.
    Edit(text_editor::Action),
    /// Say it.
    Send,
    /// Look what is on the clipboard.
    Paste,
    /// To whom.
    To(recipients::Message),
    /// The emoji open or close.
    Emoji(bool),
    /// This one goes into the field.
    Insert(&'static str),
    /// Pick files to send.
    Attach,
    /// Send what was pasted.
    SendStaged,
    /// Do not.
    DropStaged,
    /// A line was pressed.
    Choose(u64),
    /// Show a long line whole.
    Whole(u64),
    /// To the clipboard.
    Copy(String),
    /// The next line is only for this person.
    OnlyTo(Person),
    /// On a file.
    Transfer(transfer::Message),
    /// The newest is in view, or no more.
    AtEnd(bool),
    /// To the newest.
    ToTheEnd,
}

impl Chat {
    /// One thing that was done.
    pub fn update(&mut self, message: Message, model: &mut Model, _choices: &Choices) -> Action {
        match message {
            Message::Edit(action) => {
                self.field.perform(action);
                Action::None
            }
            Message::Send => self.send(),
            Message::Paste => Action::Paste,
            Message::To(message) => {
                let was_open = self.recipients.is_open();
                self.recipients.update(message);
                self.emoji &= !self.recipients.is_open();
                if was_open && !self.recipients.is_open() { focus() } else { Action::None }
            }
            Message::Emoji(open) => {
                self.emoji = open;
                if open {
                    self.recipients.update(recipients::Message::Open(false));
                }
                Action::None
            }
            Message::Insert(emoji) => {
                self.insert(emoji);
                focus()
            }
            Message::Attach => self.recipients.who().map_or(Action::None, Action::PickFiles),
            Message::SendStaged => match self.recipients.who() {
                Some(to) => Action::SendFiles(std::mem::take(&mut self.staged), to).and(focus()),
                None => Action::None,
            },
            Message::DropStaged => {
                self.staged.clear();
                focus()
            }
            Message::Choose(key) => {
                self.chosen = (self.chosen != Some(key)).then_some(key);
                Action::None
            }
            Message::Whole(key) => {
                if self.whole.len() >= MOST_WHOLE {
                    self.whole.pop_front();
                }
                self.whole.push_back(key);
                Action::None
            }
            Message::Copy(words) => {
                self.chosen = None;
                Action::Copy(words, text::COPIED)
            }
            Message::OnlyTo(person) => {
                self.chosen = None;
                self.only_to(person);
                focus()
            }
            Message::Transfer(message) => transfer::perform(message),
            Message::AtEnd(at_end) => {
                self.at_end = at_end;
                self.read(model);
                Action::None
            }
            Message::ToTheEnd => {
                self.jump += 1;
                self.at_end = true;
                self.read(model);
                focus()
            }
        }
    }

    /// It comes into view: what was unread is read, the field has the keyboard.
    pub fn on_open(&mut self, model: &mut Model) -> Action {
        self.open = true;
        self.at_end = true;
        self.read(model);
        focus()
    }

    /// It goes out of view.
    pub fn on_close(&mut self) {
        self.open = false;
    }

    /// The model changed while it is in view.
    pub fn on_model_changed(&mut self, model: &mut Model) {
        self.open = true;
        self.read(model);
    }

    /// A command failed: an unsaid line goes back into the field.
    pub fn on_failure(&mut self, command: &Command) {
        if let Command::Say { text, .. } = command {
            let typed = self.field.text();
            let typed = typed.trim();
            let both = if typed.is_empty() { text.clone() } else { format!("{text}\n{typed}") };
            self.set_field(&both);
        }
    }

    /// The next line is only for this person (from a menu of the people).
    pub fn only_to(&mut self, person: Person) {
        self.recipients.only(person);
    }

    /// What was on the clipboard, or dropped: text goes into the field, files wait above it for a word.
    pub fn on_pasted(&mut self, pasted: Pasted) -> Action {
        match pasted {
            Pasted::Text(words) => {
                // What nobody could send is not worth holding.
                let room = MAX_CHAT_BYTES.saturating_sub(self.field.text().len());
                if words.len() > room {
                    return Action::Toast(Toast::new(Tone::Caution, text::TOO_LONG));
                }
                self.insert(&words);
            }
            Pasted::Files(files) => super::stage(&mut self.staged, files),
        }
        focus()
    }

    /// Something of it is open that Esc closes. True when it closed something.
    pub fn on_escape(&mut self) -> bool {
        if self.recipients.is_open() {
            self.recipients.update(recipients::Message::Open(false));
        } else if self.emoji {
            self.emoji = false;
        } else if !self.staged.is_empty() {
            self.staged.clear();
        } else {
            return self.chosen.take().is_some();
        }
        true
    }

    fn read(&mut self, model: &mut Model) {
        if let Some(meeting) = model.meeting.as_mut().filter(|_| self.open && self.at_end) {
            meeting.chat.on_read();
        }
    }

    fn insert(&mut self, words: &str) {
        let paste = text_editor::Edit::Paste(std::sync::Arc::new(words.to_owned()));
        self.field.perform(text_editor::Action::Edit(paste));
    }

    fn set_field(&mut self, words: &str) {
        self.field = text_editor::Content::with_text(words);
        self.field.perform(text_editor::Action::Move(text_editor::Motion::DocumentEnd));
    }

    fn send(&mut self) -> Action {
        let words = self.field.text();
        let words = words.trim();
        if words.is_empty() {
            return if self.staged.is_empty() { Action::None } else { self.send_staged() };
        }
        if words.len() > MAX_CHAT_BYTES {
            return Action::Toast(Toast::new(Tone::Caution, text::TOO_LONG));
        }
        let Some(to) = self.recipients.who() else {
            self.recipients.update(recipients::Message::Open(true));
            return Action::None;
        };
        let say = Command::Say { text: words.to_owned(), to };
        self.field = text_editor::Content::new();
        self.emoji = false;
        self.jump += 1;
        let files = if self.staged.is_empty() { Action::None } else { self.send_staged() };
        Action::Engine(say).and(files)
    }

    fn send_staged(&mut self) -> Action {
        let Some(to) = self.recipients.who() else { return Action::None };
        Action::SendFiles(std::mem::take(&mut self.staged), to)
    }

    /// The panel, without the tabs above it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let Some(meeting) = &context.model.meeting else { return iced::widget::space().into() };
        column![self.lines(context, meeting), divider(context.look), self.composer(context, meeting)].into()
    }

    fn lines<'a>(&'a self, context: Context<'a>, meeting: &'a Meeting) -> Element<'a, Message> {
        let look = context.look;
        let chat = &meeting.chat;
        if chat.count() == 0 {
            let words = column![
                Icon::Chat.coloured(look, crate::ui::theme::Size::Title, look.colours.quiet),
                label(look, text::EMPTY),
                quiet(look, text::EMPTY_HINT).align_x(Alignment::Center),
            ];
            return center(words.spacing(8).align_x(Alignment::Center)).padding(PAD).into();
        }
        let list = feed(
            look,
            Rest::End,
            chat.count(),
            |index| chat.key(index),
            move |index| self.entry(context, meeting, index),
        );
        let list = list.id("chat").padding([8.0, PAD]).jump(self.jump).on_rest(Message::AtEnd);
        let down = (!self.at_end).then(|| {
            let words = text::new_messages(chat.unread);
            let kind = if chat.unread > 0 { Kind::Primary } else { Kind::Plain };
            let down = button::with_words(look, kind, words).icon(Icon::Down).small().id("chat-end");
            let down = container(Element::from(down.on_press(Message::ToTheEnd)));
            down.padding(12).center_x(Length::Fill).align_bottom(Length::Fill)
        });
        // One shape with and without the button: the list keeps its place by its place in the tree.
        iced::widget::Stack::with_children(std::iter::once(list.into()).chain(down.map(Element::from))).into()
    }

    fn entry<'a>(&'a self, context: Context<'a>, meeting: &'a Meeting, index: usize) -> Element<'a, Message> {
        let chat = &meeting.chat;
        let Some(entry) = chat.get(index) else { return iced::widget::space().into() };
        let before = index.checked_sub(1).and_then(|before| chat.get(before));
        let place = line::Place {
            key: chat.key(index),
            head: before.is_none_or(|before| !entry.belongs_to(before)),
            last: chat.get(index + 1).is_none_or(|after| !after.belongs_to(entry)),
            chosen: self.chosen == Some(chat.key(index)),
            whole: self.whole.contains(&chat.key(index)),
        };
        match entry {
            Entry::Line(line) => line::line(context, meeting, line, place),
            Entry::File(file) => line::file(context, meeting, file, place),
        }
    }

    fn is_private(&self) -> bool {
        *self.recipients.to() != To::Everyone
    }
}

fn focus() -> Action {
    Action::Focus(FIELD.into())
}

#[cfg(test)]
mod tests;
