//! The right panel: its tabs, and one of chat, people, files and stats below them.

use iced::widget::{column, container, row, rule, text};
use iced::{Alignment, Element, Length};

use super::top::badge;
use super::{Message, Screen};
use crate::ui::app::Context;
use crate::ui::choices::Panel;
use crate::ui::icon::Icon;
use crate::ui::model::meeting::Meeting;
use crate::ui::text::meeting as words;
use crate::ui::theme::{CONTROL_SMALL, HALF, Look, MEDIUM, NARROW, PANEL, RADIUS, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::filled;
use crate::ui::widget::{divider, focus::Focus};

/// The panel is as wide as everything.
pub fn covers(context: Context<'_>) -> bool {
    context.size.width < context.look.scaled(NARROW)
}

/// The panel, if one is open.
pub fn view<'a>(screen: &'a Screen, context: Context<'a>, meeting: &'a Meeting) -> Option<Element<'a, Message>> {
    let look = context.look;
    let open = screen.panel?;
    let body = match open {
        Panel::Chat => screen.chat.view(context).map(Message::Chat),
        Panel::People => screen.people.view(context).map(Message::People),
        Panel::Files => screen.files.view(context).map(Message::Files),
        Panel::Stats => screen.stats.view(context).map(Message::Stats),
    };
    let tab = |panel, name, id, count| tab(look, panel, name, id, open == panel, count);
    let close = button::with_icon(look, Kind::Quiet, Icon::Close, words::CLOSE_PANEL)
        .small()
        .id("close-panel")
        .on_press(Message::ClosePanel);
    let unread = if open == Panel::Chat { 0 } else { meeting.chat.unread };
    let tabs = row![
        tab(Panel::Chat, words::CHAT, "tab-chat", unread),
        tab(Panel::People, words::PEOPLE, "tab-people", 0),
        tab(Panel::Files, words::FILES, "tab-files", context.model.transfers.asking()),
        tab(Panel::Stats, words::STATS, "tab-stats", 0),
        super::top::fill(),
        close,
    ]
    .align_y(Alignment::Center);
    let head = container(tabs).padding([0.0, 8.0]).center_y(look.scaled(47.0));
    let ground = look.colours.ground;
    let all = column![head, divider(look), container(body).height(Length::Fill)];
    let all = container(all).style(move |_| filled(ground, None, 0.0)).height(Length::Fill);
    if covers(context) {
        return Some(all.width(Length::Fill).into());
    }
    let line = look.colours.line;
    let edge = rule::vertical(1).style(move |_| rule::Style {
        color: line,
        radius: 0.0.into(),
        fill_mode: rule::FillMode::Full,
        snap: true,
    });
    Some(row![edge, all.width(Length::Fill)].width(look.scaled(PANEL)).into())
}

fn tab<'a>(
    look: Look,
    panel: Panel,
    name: &'a str,
    id: &'static str,
    chosen: bool,
    count: usize,
) -> Element<'a, Message> {
    let c = look.colours;
    // The accent on its own ground has less than 4.5 to 1.
    let name = text(name).size(look.size(Size::Body)).font(MEDIUM).color(c.text).wrapping(text::Wrapping::None);
    let inside = row![name, badge(look, count)].spacing(HALF).align_y(Alignment::Center);
    let press = Message::Tab(panel);
    let button = iced::widget::button(container(inside).center_y(Length::Fill))
        .height(look.scaled(CONTROL_SMALL))
        .padding([0.0, 8.0])
        .style(move |_, status| {
            let over = matches!(status, iced::widget::button::Status::Hovered | iced::widget::button::Status::Pressed);
            let ground = match (chosen, over) {
                (true, _) => Some(c.accent_ground.into()),
                (false, true) => Some(c.raised.into()),
                (false, false) => None,
            };
            iced::widget::button::Style {
                background: ground,
                border: iced::Border { radius: RADIUS.into(), ..Default::default() },
                ..Default::default()
            }
        })
        .on_press(press.clone());
    Focus::new(look, button).id(id).on_activate(Some(press)).into()
}
