//! Fields to write in and pickers to choose from.

use iced::keyboard::{Key, key::Named};
use iced::widget::{Id, PickList, TextInput, pick_list, text_input, toggler};
use iced::{Background, Border, Element, Length};

use super::focus::Focus;
use crate::ui::theme::{Look, RADIUS, RING, Size};

fn border(look: Look, focused: bool) -> Border {
    Border {
        color: if focused { look.colours.accent } else { look.colours.line },
        width: if focused { RING - 1.0 } else { 1.0 },
        radius: RADIUS.into(),
    }
}

/// A line to write in.
pub fn line<'a, Message: Clone + 'a>(
    look: Look,
    id: impl Into<Id>,
    placeholder: &str,
    value: &str,
) -> TextInput<'a, Message> {
    text_input(placeholder, value).id(id).size(look.size(Size::Body)).padding([look.scaled(10.9), 12.0]).style(
        move |_, status| {
            let c = look.colours;
            text_input::Style {
                background: Background::Color(c.ground),
                border: border(look, matches!(status, text_input::Status::Focused { .. })),
                icon: c.quiet,
                placeholder: c.quiet,
                value: c.text,
                selection: iced::Color { a: 0.4, ..c.accent },
            }
        },
    )
}

/// One of several, in a menu. Up and Down choose without opening it.
pub fn picker<'a, T, Message>(
    look: Look,
    id: impl Into<Id>,
    options: Vec<T>,
    selected: Option<T>,
    placeholder: &str,
    on_select: impl Fn(T) -> Message + Clone + 'a,
) -> Element<'a, Message>
where
    T: ToString + PartialEq + Clone + 'a,
    Message: Clone + 'a,
{
    let (choices, current, choose) = (options.clone(), selected.clone(), on_select.clone());
    let list: PickList<'a, T, Vec<T>, T, Message> = pick_list(options, selected, on_select)
        .placeholder(placeholder)
        .width(Length::Fill)
        .text_size(look.size(Size::Body))
        .padding([look.scaled(10.9), 12.0])
        .style(move |_, status| {
            let c = look.colours;
            let open = matches!(status, pick_list::Status::Opened { .. });
            pick_list::Style {
                text_color: c.text,
                placeholder_color: c.quiet,
                handle_color: c.quiet,
                background: Background::Color(c.ground),
                border: border(look, open),
            }
        })
        .menu_style(move |_| {
            let c = look.colours;
            iced::overlay::menu::Style {
                background: Background::Color(c.raised),
                border: Border { color: c.line, width: 1.0, radius: RADIUS.into() },
                text_color: c.text,
                selected_text_color: c.text,
                selected_background: Background::Color(c.accent_ground),
                shadow: iced::Shadow::default(),
            }
        });
    Focus::new(look, list)
        .id(id)
        .on_key(move |key, _| {
            let step = match key {
                Key::Named(Named::ArrowDown) => 1,
                Key::Named(Named::ArrowUp) => choices.len().checked_sub(1)?,
                _ => return None,
            };
            let at = current.as_ref().and_then(|current| choices.iter().position(|choice| choice == current));
            let next = at.map_or(0, |at| (at + step) % choices.len().max(1));
            choices.get(next).cloned().map(choose.clone())
        })
        .into()
}

/// On or off, with its words.
pub fn switch<'a, Message: Clone + 'a>(
    look: Look,
    id: impl Into<Id>,
    words: &str,
    on: bool,
    on_toggle: impl Fn(bool) -> Message + 'a,
) -> Element<'a, Message> {
    let toggled = on_toggle(!on);
    let toggle = toggler(on)
        .label(words.to_owned())
        .text_size(look.size(Size::Body))
        .size(look.scaled(20.0))
        .width(Length::Fill)
        .spacing(12)
        .on_toggle(on_toggle)
        .style(move |_, status| {
            let c = look.colours;
            let on = matches!(
                status,
                toggler::Status::Active { is_toggled: true }
                    | toggler::Status::Hovered { is_toggled: true }
                    | toggler::Status::Disabled { is_toggled: true }
            );
            toggler::Style {
                background: Background::Color(if on { c.accent } else { c.raised }),
                background_border_width: 1.0,
                background_border_color: if on { c.accent } else { c.quiet },
                foreground: Background::Color(if on { c.on_accent } else { c.quiet }),
                foreground_border_width: 0.0,
                foreground_border_color: iced::Color::TRANSPARENT,
                text_color: Some(c.text),
                border_radius: None,
                padding_ratio: 0.15,
            }
        });
    Focus::new(look, toggle).id(id).on_activate(Some(toggled)).into()
}
