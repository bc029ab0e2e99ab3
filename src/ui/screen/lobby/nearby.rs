//! Meetings and people in sight.

use iced::widget::{Column, Grid, Row, column, row};
use iced::{Alignment, Element, Length};

use super::Message;
use crate::meeting::{NearbyMeeting, NearbyPerson, Trust};
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::text::{lobby as words, meeting};
use crate::ui::theme::{GRID, HALF, Look, PAD, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::label::{section, shortened};
use crate::ui::widget::{avatar, card, divider, quiet, strong, trust};

/// Faces on the card of a meeting; more are counted.
const FACES: usize = 5;
/// Rows of people; a hall has more, and the list says so.
const MOST_PEOPLE: usize = 200;

/// The sections that have something to show.
pub fn view<'a>(context: Context<'a>) -> Vec<Element<'a, Message>> {
    let look = context.look;
    let near = &context.model.nearby;
    let mut parts = Vec::new();
    if !near.meetings.is_empty() {
        let wide = context.size.width / look.text_scale >= 1080.0;
        let cards = near.meetings.iter().map(|meeting| meeting_card(look, meeting));
        let grid = Grid::with_children(cards).columns(if wide { 2 } else { 1 }).spacing(PAD).height(Length::Shrink);
        parts.push(column![section(look, words::MEETINGS_NEARBY), grid].spacing(GRID).into());
    }
    if !near.people.is_empty() {
        let narrow = context.size.width / look.text_scale < 560.0;
        let mut rows: Vec<Element<'a, Message>> = Vec::new();
        for person in near.people.iter().take(MOST_PEOPLE) {
            if !rows.is_empty() {
                rows.push(divider(look));
            }
            rows.push(person_row(look, person, narrow));
        }
        if let Some(more) = near.people.len().checked_sub(MOST_PEOPLE).filter(|more| *more > 0) {
            rows.push(quiet(look, words::more_people(more)).into());
        }
        let list = card(look, Column::with_children(rows).spacing(GRID)).padding([GRID, PAD]).width(Length::Fill);
        parts.push(column![section(look, words::PEOPLE_NEARBY), list].spacing(GRID).into());
    }
    parts
}

fn meeting_card<'a>(look: Look, meeting: &'a NearbyMeeting) -> Element<'a, Message> {
    let name = strong(look, shortened(meeting.room.as_str(), 64)).size(look.size(Size::Large)).width(Length::Fill);
    let head = row![name, quiet(look, words::inside(meeting.people.len()))].spacing(GRID).align_y(Alignment::Center);
    let faces = meeting.people.iter().take(FACES).map(|one| avatar(look, one.name.as_str(), one.peer, 32.0));
    let more = meeting.people.len().checked_sub(FACES).filter(|more| *more > 0);
    let more = more.map(|more| Element::from(quiet(look, format!("+{more}"))));
    let faces = Row::with_children(faces.chain(more)).spacing(GRID).align_y(Alignment::Center);
    let join = button::with_words(look, Kind::Primary, words::JOIN)
        .small()
        .id(format!("join-{}", meeting.room))
        .on_press(Message::Join(meeting.room.clone()));
    let foot = row![faces.width(Length::Fill), join].spacing(GRID).align_y(Alignment::Center);
    card(look, column![head, foot].spacing(PAD)).width(Length::Fill).into()
}

fn person_row<'a>(look: Look, near: &'a NearbyPerson, narrow: bool) -> Element<'a, Message> {
    let c = look.colours;
    let (peer, name) = (near.person.peer, near.person.name.as_str());
    let badge = match near.trust {
        Trust::Verified => Some(Icon::Verified.coloured(look, Size::Large, c.good)),
        Trust::Changed => Some(Icon::Warning.coloured(look, Size::Large, c.danger)),
        Trust::New | Trust::Known => None,
    };
    let title = row![strong(look, name), badge].spacing(GRID).align_y(Alignment::Center);
    let rooms: Vec<String> = near.rooms.iter().map(|room| shortened(room.as_str(), 40)).collect();
    let about = quiet(look, words::about(near.trust, &peer.short(), &rooms));
    let who = row![avatar(look, name, peer, 36.0), column![title, about].spacing(HALF).width(Length::Fill)];
    let who = who.spacing(12).align_y(Alignment::Center).width(Length::Fill);
    let sure = Message::Sure(near.person.clone(), near.trust);
    let does = if near.trust == Trust::Changed {
        // Nothing of ours goes there: a call or a file would only be refused.
        let decide = button::with_words(look, Kind::Plain, meeting::DECIDE).icon(Icon::Warning).small();
        row![decide.id(format!("verify-{}", peer.short())).on_press(sure)]
    } else {
        let verify = trust::sure(look, near.trust, format!("verify-{}", peer.short()), sure);
        row![verify, call(look, near), drop(look, near)].spacing(12)
    };
    if narrow {
        return column![who, does].spacing(GRID).into();
    }
    row![who, does].spacing(PAD).align_y(Alignment::Center).into()
}

/// Rings somebody in sight.
fn call<'a>(look: Look, near: &'a NearbyPerson) -> Element<'a, Message> {
    let peer = near.person.peer;
    button::with_words(look, Kind::Plain, words::CALL)
        .icon(Icon::Answer)
        .small()
        .id(format!("call-{}", peer.short()))
        .on_press(Message::Call(peer.to_string(), near.person.name.to_string()))
        .into()
}

/// Sends files to somebody in sight.
fn drop<'a>(look: Look, near: &'a NearbyPerson) -> Element<'a, Message> {
    let peer = near.person.peer;
    button::with_words(look, Kind::Plain, words::DROP)
        .icon(Icon::DropFile)
        .small()
        .tip(words::DROP_TIP)
        .id(format!("drop-{}", peer.short()))
        .on_press(Message::Drop(vec![peer.to_string()]))
        .into()
}
