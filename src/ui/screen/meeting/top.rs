//! The top bar: which meeting, how safe, how long, how many, how laid out, how good the network is.

use iced::widget::{Space, center, container, row, text};
use iced::{Alignment, Element, Length};

use super::{Message, Screen, Shown};
use crate::known::trust::Trust;
use crate::ui::app::Context;
use crate::ui::choices::{Layout, Panel};
use crate::ui::icon::Icon;
use crate::ui::model::meeting::Meeting;
use crate::ui::model::quality::Quality;
use crate::ui::panel::people::signal;
use crate::ui::text::meeting as words;
use crate::ui::theme::{CONTROL_SMALL, HALF, Look, MEDIUM, PAD, RADIUS, STRONG, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::filled;
use crate::ui::widget::focus::Focus;
use crate::ui::widget::{divider, line, quiet};

/// What stands beside the name of the meeting needs so much.
const OTHERS: f32 = 420.0;

/// The bar with the line below it.
pub fn view<'a>(screen: &'a Screen, context: Context<'a>, meeting: &'a Meeting) -> Element<'a, Message> {
    let look = context.look;
    let name = line(look, &meeting.title).size(look.size(Size::Large)).font(STRONG);
    // The clock follows the name, however long that is.
    let room = (context.size.width - look.scaled(OTHERS)).max(80.0);
    let since = context.now.saturating_duration_since(meeting.since);
    let time = quiet(look, words::duration(since)).wrapping(text::Wrapping::None);
    let left = row![shield(look, meeting), container(name).max_width(room), time].spacing(8).align_y(Alignment::Center);
    let right = row![network(look, meeting), people(look, meeting), layouts(look, screen)]
        .spacing(8)
        .align_y(Alignment::Center);
    let bar = row![container(left).width(Length::Fill).clip(true), right].spacing(PAD).align_y(Alignment::Center);
    let bar = container(bar).padding([0.0, PAD]).center_y(look.scaled(47.0));
    iced::widget::column![bar, divider(look)].into()
}

/// The state of the keys; pressing it shows the people.
fn shield<'a>(look: Look, meeting: &Meeting) -> Element<'a, Message> {
    let c = look.colours;
    let all = meeting.people.len();
    let verified = meeting.people.values().filter(|other| other.trust() == Trust::Verified).count();
    let changed = meeting.people.values().any(|other| other.trust() == Trust::Changed);
    let (icon, colour) = match (changed, all > 0 && verified == all) {
        (true, _) => (Icon::Warning, c.danger),
        (false, true) => (Icon::Secure, c.good),
        (false, false) => (Icon::Lock, c.quiet),
    };
    let icon = center(icon.coloured(look, Size::Large, colour));
    let side = look.scaled(CONTROL_SMALL);
    let show = Message::Tab(Panel::People);
    let press = iced::widget::button(icon).width(side).height(side).padding(0);
    let press = press.style(button::style(look, Kind::Quiet)).on_press(show.clone());
    let press = Focus::new(look, press).id("security").on_activate(Some(show));
    button::with_tip(look, press, Some(words::security(verified, all)))
}

fn network<'a>(look: Look, meeting: &Meeting) -> Option<Element<'a, Message>> {
    let quality = meeting.quality()?;
    let (icon, colour) = signal(look, quality);
    let tip = match quality {
        Quality::Good => words::NETWORK_GOOD,
        Quality::Fair => words::NETWORK_FAIR,
        Quality::Poor => words::NETWORK_POOR,
    };
    let icon = container(icon.coloured(look, Size::Large, colour)).padding([0.0, HALF]);
    Some(button::with_tip(look, icon, Some(tip.to_owned())))
}

fn people<'a>(look: Look, meeting: &Meeting) -> Element<'a, Message> {
    let count = meeting.people.len() + 1;
    button::with_words(look, Kind::Quiet, count.to_string())
        .icon(Icon::People)
        .small()
        .id("people-count")
        .tip(words::people(count))
        .on_press(Message::Panel(Panel::People))
        .into()
}

fn layouts<'a>(look: Look, screen: &Screen) -> Element<'a, Message> {
    let one = |icon, tip: &str, id: &'static str, chosen: bool, message| {
        let kind = if chosen { Kind::Chosen } else { Kind::Quiet };
        Element::from(button::with_icon(look, kind, icon, tip).small().id(id).on_press(message))
    };
    let grid = screen.shown == Shown::Grid;
    let speaker = screen.shown == Shown::Speaker;
    let mut all = row![
        one(Icon::Grid, words::GRID, "layout-grid", grid, Message::Layout(Layout::Grid)),
        one(Icon::Speaking, words::SPEAKER, "layout-speaker", speaker, Message::Layout(Layout::Speaker)),
    ]
    .spacing(2);
    if let Some(peer) = screen.pinned {
        let chosen = matches!(screen.shown, Shown::Pinned(_));
        all = all.push(one(Icon::Pin, words::PINNED, "layout-pinned", chosen, Message::Pin(peer)));
    }
    let c = look.colours;
    container(all).padding(2).style(move |_| filled(c.surface, Some(c.line), RADIUS)).into()
}

/// A number on a badge; nothing for none.
pub fn badge<'a>(look: Look, count: usize) -> Option<Element<'a, Message>> {
    let c = look.colours;
    let number = if count > 99 { "99+".to_owned() } else { count.to_string() };
    (count > 0).then(|| {
        let number = text(number).size(look.size(Size::Small)).font(MEDIUM).color(c.on_accent);
        container(number).padding([0.0, 6.0]).style(move |_| filled(c.accent, None, 99.0)).into()
    })
}

/// Takes the room that is left.
pub fn fill<'a>() -> Element<'a, Message> {
    Space::new().width(Length::Fill).into()
}
