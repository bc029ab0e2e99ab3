//! The stats over the stage: graphs by kind and a table of the peers.

use iced::widget::{Column, column, container, responsive, row, scrollable};
use iced::{Alignment, Element, Length};

use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::model::meeting::Meeting;
use crate::ui::panel::name_of;
use crate::ui::panel::stats::{Message, Stats, Way, cells, graph_card};
use crate::ui::text::stats as text;
use crate::ui::theme::{GAP, Look, PAD};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::{scrollbar, scroller};
use crate::ui::widget::label::{label, quiet, title};
use crate::ui::widget::{card, divider};

/// How the width of the table is shared among its columns.
const SHARES: [u16; 10] = [14, 8, 6, 7, 9, 9, 11, 11, 7, 8];
/// Below this width the table scrolls sideways.
const LEAST: f32 = 960.0;

/// The page; it fills what it is given.
pub fn page<'a>(stats: &'a Stats, context: Context<'a>) -> Element<'a, Message> {
    let look = context.look;
    let Some(meeting) = &context.model.meeting else { return iced::widget::space().into() };
    let ground = look.colours.ground;
    // As wide as what is left beside the panel.
    let page = responsive(move |size| {
        let width = size.width - 2.0 * GAP;
        let body = column![head(look), stats.legend(look), graphs(stats, look, meeting, width)];
        let body = body.push(table(look, meeting, width)).spacing(PAD).padding(GAP);
        let bar = scrollable::Direction::Vertical(scrollbar());
        scrollable(body).direction(bar).style(scroller(look)).width(Length::Fill).height(Length::Fill).into()
    });
    container(page).style(move |_| container::Style { background: Some(ground.into()), ..Default::default() }).into()
}

fn head<'a>(look: Look) -> Element<'a, Message> {
    let press = |icon, words: &str, id: &'static str, message: Message| {
        Element::from(button::with_words(look, Kind::Plain, words).icon(icon).small().id(id).on_press(message))
    };
    let buttons = row![
        press(Icon::Download, text::EXPORT_CSV, "export-csv", Message::ExportCsv),
        press(Icon::Json, text::EXPORT_JSON, "export-json", Message::ExportJson),
        press(Icon::Shrink, text::SHRINK, "stats-shrink", Message::Expand(false)),
    ];
    let buttons = container(buttons.spacing(8).wrap().vertical_spacing(8)).align_right(Length::Fill);
    row![title(look, text::STATS), buttons].spacing(PAD).align_y(Alignment::Center).into()
}

fn graphs<'a>(stats: &'a Stats, look: Look, meeting: &'a Meeting, width: f32) -> Element<'a, Message> {
    let one = |way, name| graph_card(stats, look, meeting, way, name);
    let (sent, received) = (one(Way::Sent, text::SENT), one(Way::Received, text::RECEIVED));
    if width < look.scaled(560.0) {
        column![sent, received].spacing(PAD).into()
    } else {
        row![sent, received].spacing(PAD).into()
    }
}

fn table<'a>(look: Look, meeting: &'a Meeting, width: f32) -> Element<'a, Message> {
    if meeting.people.is_empty() {
        return card(look, quiet(look, text::ALONE)).width(Length::Fill).into();
    }
    let cell = |words: Element<'a, Message>, column: usize| {
        container(words).padding([8, 8]).width(Length::FillPortion(SHARES[column])).into()
    };
    let head = text::COLUMNS.iter().enumerate().map(|(column, words)| cell(quiet(look, *words).into(), column));
    let mut lines: Vec<Element<'a, Message>> = vec![row(head).into()];
    for participant in meeting.in_order() {
        let words = std::iter::once(name_of(meeting, &participant.person)).chain(cells(participant.stats.as_ref()));
        let line = words.enumerate().map(|(column, words)| cell(label(look, words).into(), column));
        lines.push(divider(look));
        lines.push(row(line).align_y(Alignment::Center).into());
    }
    let wide = (width - 2.0 * PAD).max(look.scaled(LEAST));
    let bar = scrollable::Direction::Horizontal(scrollbar().spacing(4));
    let table = scrollable(Column::with_children(lines).width(wide)).direction(bar).style(scroller(look));
    card(look, table.width(Length::Fill)).width(Length::Fill).into()
}
