//! The field to write in, with what belongs to it: recipients, emoji, files that were pasted.

use iced::keyboard::{Key, key::Named};
use iced::widget::text_editor::{Binding, KeyPress, Status, Style};
use iced::widget::{Row, column, container, row, stack, text_editor};
use iced::{Alignment, Background, Border, Color, Element, Length, Padding};

use super::{Chat, FIELD, Message};
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::model::meeting::Meeting;
use crate::ui::panel::recipients::To;
use crate::ui::text::chat as text;
use crate::ui::theme::{CONTROL_SMALL, EMOJI, HALF, Look, RADIUS, RING, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::filled;
use crate::ui::widget::focus::Focus;
use crate::ui::widget::label::{label, quiet};

/// Text so large leaves no room for buttons beside the field.
const LARGE: f32 = 1.4;
/// Lines of text until the field scrolls.
const MOST_LINES: f32 = 5.0;

/// What a key does in the field.
fn binding(press: KeyPress) -> Option<Binding<Message>> {
    if !matches!(press.status, Status::Focused { .. }) {
        return None;
    }
    let shift = press.modifiers.shift();
    match press.key.as_ref() {
        Key::Named(Named::Enter) if !shift => Some(Binding::Custom(Message::Send)),
        // The list above scrolls.
        Key::Named(Named::PageUp | Named::PageDown | Named::Tab) => None,
        _ if press.modifiers.command() && press.key.to_latin(press.physical_key) == Some('v') => {
            Some(Binding::Custom(Message::Paste))
        }
        // Ctrl with a comma opens the settings, and writes none.
        _ if press.modifiers.command() && matches!(press.key.as_ref(), Key::Character(",")) => None,
        _ => Binding::from_key_press(press),
    }
}

impl Chat {
    /// All below the line.
    pub(super) fn composer<'a>(&'a self, context: Context<'a>, meeting: &'a Meeting) -> Element<'a, Message> {
        let look = context.look;
        let c = look.colours;
        let names = self.recipients.names(meeting);
        let mut all = column![].spacing(8);
        if let Some(list) = self.recipients.list(context, meeting) {
            all = all.push(list.map(Message::To));
        }
        if self.emoji {
            all = all.push(emoji(look));
        }
        if !self.staged.is_empty() {
            all = all.push(self.staged(look));
        }
        let to = self.recipients.button(context, meeting, "chat-to").map(Message::To);
        if look.text_scale < LARGE {
            all = all.push(to).push(self.field(look));
        } else {
            let line = row![container(to).width(Length::Fill).clip(true), self.buttons(look)];
            all = all.push(line.align_y(Alignment::Center)).push(self.field(look));
        }
        // With large text the line above the field has to do: there is no room for more.
        if let Some(names) = names.filter(|names| !names.is_empty() && look.text_scale < LARGE) {
            all = all.push(quiet(look, text::only_these(&names)).color(c.private_text));
        }
        container(all).padding(12).width(Length::Fill).into()
    }

    fn field(&self, look: Look) -> Element<'_, Message> {
        let c = look.colours;
        let private = self.is_private();
        let size = look.size(Size::Body);
        let pad = look.scaled(10.0);
        let small = look.scaled(CONTROL_SMALL);
        // Large text leaves no room beside it.
        let beside = look.text_scale < LARGE;
        let right = if beside { 3.0 * small + 2.0 * HALF + 8.0 } else { 12.0 };
        let field = text_editor(&self.field)
            .id(FIELD)
            .placeholder(text::WRITE)
            .size(size)
            .padding(Padding { top: pad, bottom: pad, left: 12.0, right })
            .max_height(size.0 * 1.3 * MOST_LINES + 2.0 * pad)
            .wrapping(iced::widget::text::Wrapping::WordOrGlyph)
            .on_action(Message::Edit)
            .key_binding(binding)
            .style(move |_, status| {
                let focused = matches!(status, Status::Focused { .. });
                let calm = if private { c.private_line } else { c.line };
                Style {
                    background: Background::Color(if private { c.private } else { c.ground }),
                    border: Border {
                        color: if focused { c.accent } else { calm },
                        width: if focused { RING - 1.0 } else { 1.0 },
                        radius: RADIUS.into(),
                    },
                    placeholder: c.quiet,
                    value: c.text,
                    selection: Color { a: 0.4, ..c.accent },
                }
            });
        if !beside {
            return field.into();
        }
        let buttons = container(self.buttons(look)).padding([HALF, 6.0]);
        stack![field, buttons.align_right(Length::Fill).align_bottom(Length::Fill)].into()
    }

    /// What can be done beside writing.
    fn buttons(&self, look: Look) -> Element<'_, Message> {
        let nobody = matches!(self.recipients.to(), To::People(people) if people.is_empty());
        let icon = |icon, tip: &str, id: &'static str, message: Option<Message>| {
            button::with_icon(look, Kind::Quiet, icon, tip).small().id(id).on_press_maybe(message)
        };
        let nothing = self.field.is_empty() && self.staged.is_empty();
        let buttons = row![
            icon(Icon::Emoji, text::EMOJI_TIP, "chat-emoji", Some(Message::Emoji(!self.emoji))),
            icon(Icon::Attach, text::ATTACH_TIP, "chat-attach", (!nobody).then_some(Message::Attach)),
            icon(Icon::Send, text::SEND, "chat-send", (!nobody && !nothing).then_some(Message::Send)),
        ];
        buttons.spacing(HALF).into()
    }

    fn staged(&self, look: Look) -> Element<'_, Message> {
        let c = look.colours;
        let names: Vec<String> = self
            .staged
            .iter()
            .map(|path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned())
            .collect();
        let send = button::with_words(look, Kind::Primary, text::SEND).small().id("staged-send");
        let send = send.on_press_maybe(self.recipients.who().map(|_| Message::SendStaged));
        let no = button::with_icon(look, Kind::Quiet, Icon::Close, text::DROP_STAGED).small().id("staged-drop");
        let words = label(look, text::staged(&names)).width(Length::Fill);
        let answers = row![Element::from(send), Element::from(no.on_press(Message::DropStaged))].spacing(8);
        let head = row![Icon::File.coloured(look, Size::Large, c.quiet), words].spacing(8).align_y(Alignment::Center);
        let inside: Element<'_, Message> = if look.text_scale < LARGE {
            row![head, answers].spacing(8).align_y(Alignment::Center).into()
        } else {
            column![head, answers].spacing(8).into()
        };
        container(inside).padding([6, 10]).style(move |_| filled(c.raised, Some(c.accent), RADIUS)).into()
    }
}

/// The emoji, to be pressed.
fn emoji<'a>(look: Look) -> Element<'a, Message> {
    let c = look.colours;
    let one = |emoji: &'static str| {
        let side = look.scaled(CONTROL_SMALL);
        let press = iced::widget::button(iced::widget::center(
            iced::widget::text(emoji).font(EMOJI).size(look.size(Size::Large)),
        ))
        .width(side)
        .height(side)
        .padding(0)
        .style(move |_, status| iced::widget::button::Style {
            background: matches!(status, iced::widget::button::Status::Hovered).then_some(c.line.into()),
            border: Border { radius: RADIUS.into(), ..Border::default() },
            text_color: c.text,
            ..Default::default()
        })
        .on_press(Message::Insert(emoji));
        Focus::new(look, press).id(format!("emoji-{emoji}")).on_activate(Some(Message::Insert(emoji))).into()
    };
    let all = Row::with_children(text::EMOJI.iter().copied().map(one)).spacing(2).wrap().vertical_spacing(2);
    container(all).padding(6).width(Length::Fill).style(move |_| filled(c.raised, Some(c.line), RADIUS)).into()
}
