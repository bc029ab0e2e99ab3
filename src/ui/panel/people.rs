//! The panel of people: who is here, how far each key is trusted, how loud each is.

use std::collections::BTreeMap;

use iced::keyboard::{Key, key::Named};
use iced::widget::{Column, column, container, row, scrollable, slider, text};
use iced::{Alignment, Background, Border, Color, Element, Length};

use crate::id::PeerId;
use crate::known::trust::Trust;
use crate::meeting::{Command, NearbyPerson, Person};
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::dialog;
use crate::ui::icon::Icon;
use crate::ui::model::Model;
use crate::ui::model::meeting::{Meeting, Participant};
use crate::ui::model::quality::Quality;
use crate::ui::text::{lobby, meeting as words};
use crate::ui::theme::{HALF, Look, MEDIUM, PAD, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::{scrollbar, scroller};
use crate::ui::widget::label::section;
use crate::ui::widget::trust::sure as sure_of;
use crate::ui::widget::{avatar, divider, focus::Focus, label, quiet, strong};

/// Twice as loud as sent.
const LOUDEST: f32 = 2.0;
/// Those in sight who are shown; a hall has more.
const MOST_NEARBY: usize = 100;
/// One step of the slider.
const STEP: f32 = 0.05;

/// Its state.
#[derive(Debug, Default)]
pub struct People {
    // Volumes that are being changed, until the engine has said that it took them. Present people only.
    changing: BTreeMap<PeerId, f32>,
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {
    /// So loud.
    Volume(PeerId, f32),
    /// The slider was let go.
    Set(PeerId),
    /// The next line is for this person alone.
    OnlyTo(Person),
    /// A file for this person.
    SendFile(PeerId),
    /// Be sure of this person's key.
    Sure(Person, Trust),
    /// Ring this person in sight (WHO, name) into this meeting.
    Call(String, String),
}

impl People {
    /// One thing that was done. [`Message::OnlyTo`] concerns the chat: the screen takes it.
    pub fn update(&mut self, message: Message, _model: &mut Model, _choices: &Choices) -> Action {
        match message {
            Message::Volume(peer, value) => {
                let value = value.clamp(0.0, LOUDEST);
                self.changing.insert(peer, value);
                Action::Engine(Command::Volume { peer: peer.to_string(), value })
            }
            Message::Set(peer) => {
                self.changing.remove(&peer);
                Action::None
            }
            Message::OnlyTo(_) => Action::None,
            Message::SendFile(peer) => Action::PickFiles(vec![peer.to_string()]),
            Message::Sure(person, trust) => dialog::sure(person, trust),
            Message::Call(who, name) => Action::Call(who, name),
        }
    }

    /// Somebody may have left; the engine may have taken what was set.
    pub fn on_model_changed(&mut self, meeting: &Meeting) {
        let taken =
            |peer: &PeerId, value: f32| meeting.people.get(peer).is_none_or(|p| (p.volume() - value).abs() < 0.001);
        self.changing.retain(|peer, value| !taken(peer, *value));
    }

    /// The panel, without the tabs above it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let Some(meeting) = &context.model.meeting else { return column![].into() };
        let hands: BTreeMap<PeerId, usize> =
            meeting.hands.iter().zip(1..).map(|(person, place)| (person.peer, place)).collect();
        let mut people: Vec<&Participant> = meeting.people.values().collect();
        // Raised hands first, in their order, then by name.
        people.sort_by_key(|other| {
            let hand = hands.get(&other.person.peer).copied().unwrap_or(usize::MAX);
            (hand, crate::id::fold(other.person.name.as_str()), other.person.peer)
        });
        let me = context.model.me.as_ref().map(|me| {
            let head = head(look, me.peer, me.name.as_str(), hands.get(&me.peer).copied(), meeting.microphone_on());
            column![head, quiet(look, words::YOU)].spacing(HALF).into()
        });
        let others = people.into_iter().map(|other| self.person(look, other, hands.get(&other.person.peer).copied()));
        let all = Column::with_children(me.into_iter().chain(others)).spacing(PAD + 8.0).padding(PAD);
        let all = if meeting.people.is_empty() { all.push(quiet(look, words::NOBODY)) } else { all };
        let all = all.push(nearby(context, meeting));
        let bar = scrollable::Direction::Vertical(scrollbar());
        scrollable(all.width(Length::Fill)).direction(bar).style(scroller(look)).height(Length::Fill).into()
    }

    fn person<'a>(&'a self, look: Look, other: &'a Participant, hand: Option<usize>) -> Element<'a, Message> {
        let peer = other.person.peer;
        let value = self.changing.get(&peer).copied().unwrap_or_else(|| other.volume());
        // A name that somebody else has too comes with the first digits of the key.
        let name = other.state.as_ref().filter(|state| !state.name_is_unique).map(|state| state.handle.as_str());
        let name = name.unwrap_or_else(|| other.person.name.as_str());
        let volume = row![
            Icon::Speaker.coloured(look, Size::Body, look.colours.quiet),
            volume(look, peer, value),
            container(quiet(look, words::volume(value))).align_right(look.scaled(48.0)),
        ]
        .spacing(8)
        .align_y(Alignment::Center);
        let sure = Message::Sure(other.person.clone(), other.trust());
        let sure = sure_of(look, other.trust(), format!("verify-{peer}"), sure);
        let does = row![
            sure,
            button::with_icon(look, Kind::Quiet, Icon::Chat, words::MESSAGE)
                .small()
                .id(format!("only-to-{peer}"))
                .on_press(Message::OnlyTo(other.person.clone())),
            button::with_icon(look, Kind::Quiet, Icon::DropFile, words::SEND_FILE)
                .small()
                .id(format!("file-to-{peer}"))
                .on_press(Message::SendFile(peer)),
        ];
        let trust = row![trust(look, other.trust()), iced::widget::Space::new().width(Length::Fill), does]
            .align_y(Alignment::Center);
        // What the icon on the tile says under the mouse stands here for those who use none.
        let link = other.stats.as_ref().and_then(|stats| {
            let (icon, colour) = signal(look, Quality::of(stats)?);
            let figures = quiet(look, words::link(stats.link.rtt_ms, stats.link.loss)).size(look.size(Size::Small));
            Some(row![icon.coloured(look, Size::Small, colour), figures].spacing(6).align_y(Alignment::Center))
        });
        column![head(look, peer, name, hand, other.speaks()), trust, link, volume].spacing(HALF).into()
    }
}

/// The icon and colour of a link.
pub fn signal(look: Look, quality: Quality) -> (Icon, Color) {
    let c = look.colours;
    match quality {
        Quality::Good => (Icon::Signal, c.good),
        Quality::Fair => (Icon::SignalLow, c.caution),
        Quality::Poor => (Icon::SignalNone, c.danger),
    }
}

/// Those in sight who are not in this meeting: a call asks them in.
fn nearby<'a>(context: Context<'a>, meeting: &Meeting) -> Option<Element<'a, Message>> {
    let look = context.look;
    let outside = |near: &&NearbyPerson| !meeting.people.contains_key(&near.person.peer);
    let rows: Vec<_> = context.model.nearby.people.iter().filter(outside).take(MOST_NEARBY).collect();
    if rows.is_empty() {
        return None;
    }
    let rows = rows.into_iter().map(|near| {
        let (peer, name) = (near.person.peer, near.person.name.as_str());
        let sure = Message::Sure(near.person.clone(), near.trust);
        let sure = sure_of(look, near.trust, format!("verify-{}", peer.short()), sure);
        // A key that bears the name of somebody verified is decided about first.
        let call = (near.trust != Trust::Changed).then(|| {
            Element::from(
                button::with_words(look, Kind::Plain, lobby::CALL)
                    .icon(Icon::Answer)
                    .small()
                    .id(format!("call-{}", peer.short()))
                    .on_press(Message::Call(peer.to_string(), name.to_owned())),
            )
        });
        let who = row![avatar(look, name, peer, 28.0), strong(look, name).width(Length::Fill)];
        let trust = container(trust(look, near.trust)).width(Length::Fill);
        let does = row![trust, sure, call].spacing(8).align_y(Alignment::Center);
        column![who.spacing(10).align_y(Alignment::Center), does].spacing(HALF).into()
    });
    let head = column![section(look, words::NEARBY), quiet(look, words::NEARBY_HOW)].spacing(HALF);
    Some(column![divider(look), head, Column::with_children(rows).spacing(PAD)].spacing(PAD).into())
}

fn head<'a>(look: Look, peer: PeerId, name: &'a str, hand: Option<usize>, microphone: bool) -> Element<'a, Message> {
    let c = look.colours;
    let hand = hand.map(|place| {
        let number = text(place.to_string()).size(look.size(Size::Body)).font(MEDIUM).color(c.text);
        row![Icon::Hand.coloured(look, Size::Body, c.caution), number].spacing(HALF).align_y(Alignment::Center)
    });
    let (icon, colour) = if microphone { (Icon::Microphone, c.quiet) } else { (Icon::MicrophoneOff, c.danger) };
    row![
        avatar(look, name, peer, 28.0),
        strong(look, name).width(Length::Fill),
        hand,
        icon.coloured(look, Size::Body, colour),
    ]
    .spacing(10)
    .align_y(Alignment::Center)
    .into()
}

fn trust<'a>(look: Look, trust: Trust) -> Element<'a, Message> {
    let c = look.colours;
    let (icon, colour, words) = match trust {
        Trust::New => (Icon::Unverified, c.quiet, words::KEY_NEW),
        Trust::Known => (Icon::Key, c.quiet, words::KEY_KNOWN),
        Trust::Verified => (Icon::Verified, c.good, words::KEY_VERIFIED),
        Trust::Changed => (Icon::Warning, c.danger, words::KEY_CHANGED),
    };
    let words = label(look, words).size(look.size(Size::Small)).color(colour);
    row![icon.coloured(look, Size::Small, colour), words].spacing(6).align_y(Alignment::Center).into()
}

fn volume<'a>(look: Look, peer: PeerId, value: f32) -> Element<'a, Message> {
    let c = look.colours;
    let bar = slider(0.0..=LOUDEST, value, move |value| Message::Volume(peer, value))
        .step(STEP)
        .on_release(Message::Set(peer))
        .style(move |_, _| slider::Style {
            rail: slider::Rail {
                backgrounds: (Background::Color(c.accent), Background::Color(c.line)),
                width: 4.0,
                border: Border { radius: 2.0.into(), ..Border::default() },
            },
            handle: slider::Handle {
                shape: slider::HandleShape::Circle { radius: 8.0 },
                background: Background::Color(c.text),
                border_width: 0.0,
                border_color: iced::Color::TRANSPARENT,
            },
        });
    Focus::new(look, bar)
        .id(format!("volume-{peer}"))
        .on_key(move |key, _| {
            let by = match key {
                Key::Named(Named::ArrowRight | Named::ArrowUp) => STEP * 2.0,
                Key::Named(Named::ArrowLeft | Named::ArrowDown) => -STEP * 2.0,
                _ => return None,
            };
            Some(Message::Volume(peer, value + by))
        })
        .into()
}

#[cfg(test)]
mod tests;
