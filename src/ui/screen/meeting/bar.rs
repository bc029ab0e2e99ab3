//! The control bar below the stage, and the menus that rise from it.

use iced::widget::{Row, column, container, mouse_area, opaque, row, scrollable, stack};
use iced::{Alignment, Element, Length};

use super::top::badge;
use super::{Menu, Message, Screen};
use crate::av::spec::Quality;
use crate::ui::app::Context;
use crate::ui::choices::{Layout, Panel};
use crate::ui::icon::Icon;
use crate::ui::model::meeting::Meeting;
use crate::ui::text;
use crate::ui::text::meeting as words;
use crate::ui::theme::{EMOJI, HALF, Look, PAD, RADIUS, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::{filled, scrollbar, scroller};
use crate::ui::widget::{divider, field, focus::Focus, quiet};

/// From this width on each panel has a button of its own.
const WIDE: f32 = 1000.0;
/// From this width on there is room for the rates.
const RATES: f32 = 720.0;

/// The bar with the line above it.
pub fn view<'a>(screen: &'a Screen, context: Context<'a>, meeting: &'a Meeting) -> Element<'a, Message> {
    let look = context.look;
    let microphone = meeting.microphone_on();
    let (icon, caption) = match (microphone, screen.talking) {
        (true, true) => (Icon::Microphone, words::TALKING),
        (true, false) => (Icon::Microphone, words::MUTE),
        (false, _) => (Icon::MicrophoneOff, words::UNMUTE),
    };
    let one = |kind, icon, caption: &str, id: &'static str, message| {
        button::round(look, kind, icon, caption, id, Some(message))
    };
    let chosen = |on: bool| if on { Kind::Chosen } else { Kind::Plain };
    let camera = if meeting.camera_on() { Icon::Camera } else { Icon::CameraOff };
    let (sharing, share) =
        if meeting.sharing() { (Kind::Chosen, Icon::ScreenOff) } else { (Kind::Plain, Icon::Screen) };
    let tip = |element, tip: &str| button::with_tip_above(look, element, tip.to_owned());
    let buttons = row![
        tip(one(Kind::Plain, icon, caption, "microphone", Message::Microphone), words::TIP_MICROPHONE),
        tip(one(Kind::Plain, camera, words::CAMERA, "camera", Message::Camera), words::TIP_CAMERA),
        shares(context).then(|| tip(one(sharing, share, words::SHARE, "share", Message::Share), words::TIP_SHARE)),
        tip(
            one(chosen(screen.hand_up(context.model)), Icon::Hand, words::HAND, "hand", Message::Hand),
            words::TIP_HAND
        ),
        one(chosen(screen.menu == Some(Menu::React)), Icon::React, words::REACT, "react", Message::Menu(Menu::React)),
        one(chosen(screen.menu == Some(Menu::More)), Icon::More, words::MORE, "more", Message::Menu(Menu::More)),
        one(Kind::Danger, Icon::Leave, text::LEAVE, "leave", Message::Leave),
    ];
    let buttons = buttons.spacing(if context.size.width < look.scaled(WIDE) { 16 } else { 28 });
    let rates = (context.size.width >= look.scaled(RATES)).then(|| rates(look, meeting));
    let left = container(column![rates]).width(Length::FillPortion(1)).clip(true);
    let right = container(panels(screen, context, meeting)).align_right(Length::FillPortion(1));
    let bar = row![left, buttons, right].spacing(8).align_y(Alignment::Center);
    column![divider(look), container(bar).padding([10.0, PAD]).center_x(Length::Fill)].into()
}

/// There is room for its button in the bar; else it is in the menu.
fn shares(context: Context<'_>) -> bool {
    context.size.width >= context.look.scaled(RATES)
}

/// What leaves and what comes.
fn rates<'a>(look: Look, meeting: &Meeting) -> Element<'a, Message> {
    let c = look.colours;
    let rates = meeting.traffic.last().unwrap_or_default();
    let line = |icon: Icon, colour, bps| {
        let words = quiet(look, words::rate(bps)).wrapping(text_wrapping());
        row![icon.coloured(look, Size::Small, colour), words].spacing(8).align_y(Alignment::Center)
    };
    let sent = line(Icon::Sent, c.accent, rates.sent.total);
    column![sent, line(Icon::Received, c.good, rates.received.total)].spacing(2).into()
}

const fn text_wrapping() -> iced::widget::text::Wrapping {
    iced::widget::text::Wrapping::None
}

/// The buttons of the panels, while none is open.
fn panels<'a>(screen: &Screen, context: Context<'a>, meeting: &Meeting) -> Option<Element<'a, Message>> {
    if screen.panel.is_some() {
        return None;
    }
    let look = context.look;
    let unread = meeting.chat.unread;
    let asking = context.model.transfers.asking();
    let one = |panel, count| {
        let (icon, tip, id) = match panel {
            Panel::Chat => (Icon::Chat, words::CHAT, "panel-chat"),
            Panel::People => (Icon::People, words::PEOPLE, "panel-people"),
            Panel::Files => (Icon::Files, words::FILES, "panel-files"),
            Panel::Stats => (Icon::Stats, words::STATS, "panel-stats"),
        };
        let press = button::with_icon(look, Kind::Quiet, icon, tip).id(id).on_press(Message::Panel(panel));
        let size = look.scaled(crate::ui::theme::CONTROL);
        let mark = badge(look, count).map(|badge| container(badge).align_right(Length::Fill));
        Element::from(stack![press, mark].width(size).height(size))
    };
    if context.size.width < look.scaled(WIDE) {
        return Some(one(Panel::Chat, unread + asking));
    }
    let all = [one(Panel::Chat, unread), one(Panel::People, 0), one(Panel::Files, asking), one(Panel::Stats, 0)];
    Some(Row::with_children(all).spacing(HALF).into())
}

/// The open menu, at the lower edge of what it is laid over. A press beside it closes it.
pub fn menu<'a>(screen: &'a Screen, context: Context<'a>, meeting: &'a Meeting) -> Option<Element<'a, Message>> {
    let inside = match screen.menu? {
        Menu::React => reactions(context.look),
        Menu::More => more(screen, context, meeting),
    };
    let c = context.look.colours;
    // Large text in a low window: what has no room is scrolled to.
    let bar = scrollable::Direction::Vertical(scrollbar().spacing(HALF));
    let inside = scrollable(inside).direction(bar).style(scroller(context.look));
    let box_ = container(opaque(container(inside).padding(12).style(move |_| filled(c.raised, Some(c.line), RADIUS))));
    let ground = container(box_).padding(8).center_x(Length::Fill).align_bottom(Length::Fill);
    Some(opaque(mouse_area(ground).on_press(Message::CloseMenu)))
}

fn reactions<'a>(look: Look) -> Element<'a, Message> {
    let all = words::REACTIONS.iter().map(|emoji| {
        let size = look.scaled(40.0);
        let press = Message::React((*emoji).to_owned());
        let face = text_of(look, emoji);
        let area = iced::widget::button(iced::widget::center(face))
            .width(size)
            .height(size)
            .padding(0)
            .style(move |_, status| {
                let over =
                    matches!(status, iced::widget::button::Status::Hovered | iced::widget::button::Status::Pressed);
                let ground = if over { look.colours.line } else { look.colours.raised };
                iced::widget::button::Style {
                    background: Some(ground.into()),
                    border: iced::Border { radius: RADIUS.into(), ..Default::default() },
                    ..Default::default()
                }
            })
            .on_press(press.clone());
        Focus::new(look, area).id(format!("react-{emoji}")).on_activate(Some(press)).into()
    });
    Row::with_children(all).spacing(HALF).wrap().into()
}

fn text_of<'a>(look: Look, emoji: &'a str) -> iced::widget::Text<'a> {
    iced::widget::text(emoji).font(EMOJI).size(look.size(Size::Title))
}

fn more<'a>(screen: &'a Screen, context: Context<'a>, meeting: &'a Meeting) -> Element<'a, Message> {
    let look = context.look;
    let options: Vec<Choice> = Quality::ALL.into_iter().map(Choice).collect();
    let quality =
        field::picker(look, "quality", options, Some(Choice(meeting.settings.quality)), "", |choice: Choice| {
            Message::Quality(choice.0)
        });
    let layout = |words: &'static str, icon, id: &'static str, layout| {
        let kind = if screen.layout() == Some(layout) { Kind::Chosen } else { Kind::Plain };
        button::with_words(look, kind, words).icon(icon).small().wide().id(id).on_press(Message::Layout(layout))
    };
    let layouts = row![
        layout(words::LAYOUT_GRID, Icon::Grid, "more-grid", Layout::Grid),
        layout(words::LAYOUT_SPEAKER, Icon::Speaking, "more-speaker", Layout::Speaker),
    ]
    .spacing(8);
    let named = |name: &'static str, control: Element<'a, Message>| column![quiet(look, name), control].spacing(6);
    let share = (!shares(context)).then(|| {
        let words = if meeting.sharing() { words::STOP_SHARING } else { words::SHARE_SCREEN };
        let share = button::with_words(look, Kind::Quiet, words).icon(Icon::Screen).small().wide().left();
        Element::from(share.id("share").on_press(Message::Share))
    });
    let invite = button::with_words(look, Kind::Quiet, words::INVITE)
        .icon(Icon::Link)
        .small()
        .wide()
        .left()
        .id("invite")
        .on_press(Message::Invite);
    let settings = button::with_words(look, Kind::Quiet, words::DEVICES)
        .icon(Icon::Settings)
        .small()
        .wide()
        .left()
        .id("settings")
        .on_press(Message::Settings);
    let shortcuts = button::with_words(look, Kind::Quiet, text::SHORTCUTS)
        .icon(Icon::Keyboard)
        .small()
        .wide()
        .left()
        .id("shortcuts")
        .on_press(Message::Shortcuts);
    column![
        named(words::LAYOUT, layouts.into()),
        named(words::QUALITY, quality),
        field::switch(look, "own-tile-switch", words::OWN_TILE, context.choices.own_tile, Message::OwnTile),
        divider(look),
        column![share, invite, settings, shortcuts].spacing(HALF),
    ]
    .spacing(12)
    .width(look.scaled(280.0))
    .into()
}

/// A quality as it is shown in the menu.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Choice(Quality);

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&words::quality(self.0))
    }
}
