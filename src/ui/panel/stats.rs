//! The stats panel: graphs of the last five minutes and a line for each peer. `screen::stats` is the large form.

use std::collections::BTreeSet;

use iced::widget::{Row, column, container, row, scrollable};
use iced::{Alignment, Border, Color, Element, Length};

use super::name_of;
use crate::stats::{Kinds, Peer, Rates};
use crate::ui::action::Action;
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::icon::Icon;
use crate::ui::model::Model;
use crate::ui::model::meeting::Meeting;
use crate::ui::model::traffic::Traffic;
use crate::ui::text::stats as text;
use crate::ui::theme::{Look, RADIUS};
use crate::ui::widget::button::{self, Kind as Press};
use crate::ui::widget::card::{filled, scrollbar, scroller};
use crate::ui::widget::chart::{Line, chart};
use crate::ui::widget::focus::Focus;
use crate::ui::widget::label::{quiet, strong};
use crate::ui::widget::{avatar, card, divider};

/// Its state: which lines are drawn, and how large.
#[derive(Debug, Default)]
pub struct Stats {
    expanded: bool,
    hidden: BTreeSet<Kind>,
    // Counts the changes of `hidden`: each draws the graphs anew.
    changes: u64,
}

/// What bytes are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each name says what it is")]
pub enum Kind {
    Total,
    Video,
    Audio,
    Files,
    Chat,
    Control,
}

impl Kind {
    /// All, in the order of `text::stats::KINDS`.
    pub const ALL: [Self; 6] = [Self::Total, Self::Video, Self::Audio, Self::Files, Self::Chat, Self::Control];

    fn of(self, kinds: Kinds) -> u64 {
        match self {
            Self::Total => kinds.total,
            Self::Video => kinds.video,
            Self::Audio => kinds.audio,
            Self::Files => kinds.file,
            Self::Chat => kinds.chat,
            Self::Control => kinds.control,
        }
    }

    fn colour(self, look: Look) -> Color {
        let c = look.colours;
        match self {
            Self::Total => c.text,
            Self::Video => c.accent,
            Self::Audio => c.good,
            Self::Files => c.caution,
            Self::Chat => c.private_text,
            Self::Control => c.quiet,
        }
    }
}

/// Seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// What leaves.
    Sent,
    /// What comes.
    Received,
}

impl Way {
    fn of(self, rates: Rates) -> Kinds {
        match self {
            Self::Sent => rates.sent,
            Self::Received => rates.received,
        }
    }
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Message {
    /// Over the stage, or back into the panel.
    Expand(bool),
    /// Show this line, or hide it.
    Toggle(Kind),
    /// Save the seconds.
    ExportCsv,
    /// The same, with the peers of now.
    ExportJson,
}

impl Stats {
    /// One thing that was done.
    pub fn update(&mut self, message: Message, model: &mut Model, _choices: &Choices) -> Action {
        match message {
            Message::Expand(expanded) => self.expanded = expanded,
            Message::Toggle(kind) => {
                if !self.hidden.remove(&kind) {
                    self.hidden.insert(kind);
                }
                self.changes += 1;
            }
            Message::ExportCsv => {
                let Some(meeting) = &model.meeting else { return Action::None };
                return Action::Save(meeting.traffic.csv(), text::file(meeting.room.as_str(), "csv"));
            }
            Message::ExportJson => {
                let Some(meeting) = &model.meeting else { return Action::None };
                return Action::Save(meeting.figures_json(), text::file(meeting.room.as_str(), "json"));
            }
        }
        Action::None
    }

    /// The page (`screen::stats`) is to be drawn over the stage and instead of the panel.
    pub fn is_expanded(&self) -> bool {
        self.expanded
    }

    /// Esc makes it small again. True when it did something.
    pub fn on_escape(&mut self) -> bool {
        std::mem::take(&mut self.expanded)
    }

    /// The panel, without the tabs above it.
    pub fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let look = context.look;
        let Some(meeting) = &context.model.meeting else { return iced::widget::space().into() };
        let graph = |way, name| {
            let inside = column![self.head(look, &meeting.traffic, way, name), self.graph(look, &meeting.traffic, way)];
            container(inside.spacing(8)).padding([8, 0])
        };
        let expand = button::with_words(look, Press::Plain, text::EXPAND).icon(Icon::Expand).small();
        let expand = Element::from(expand.id("stats-expand").on_press(Message::Expand(true)));
        let top = row![quiet(look, text::MINUTES).width(Length::Fill), expand].align_y(Alignment::Center);
        let peers = meeting.in_order().into_iter().map(|participant| {
            let name = name_of(meeting, &participant.person);
            let words = participant.stats.as_ref().map_or_else(|| text::UNKNOWN.to_owned(), text::brief);
            let words = column![strong(look, name.clone()), quiet(look, words)].width(Length::Fill);
            let line = row![avatar(look, &name, participant.person.peer, 28.0), words];
            line.spacing(10).align_y(Alignment::Center).into()
        });
        let peers: Element<'a, Message> =
            if meeting.people.is_empty() { quiet(look, text::ALONE).into() } else { column(peers).spacing(12).into() };
        let all = column![
            top,
            graph(Way::Sent, text::SENT),
            graph(Way::Received, text::RECEIVED),
            self.legend(look),
            divider(look),
            peers
        ];
        let all = scrollable(all.spacing(12).padding(16)).style(scroller(look));
        let bar = scrollable::Direction::Vertical(scrollbar());
        all.direction(bar).height(Length::Fill).width(Length::Fill).into()
    }

    /// The title of a graph, with the figure of now.
    pub fn head<'a>(&self, look: Look, traffic: &Traffic, way: Way, name: &'a str) -> Element<'a, Message> {
        let now = traffic.last().map_or_else(|| text::UNKNOWN.to_owned(), |last| text::rate(way.of(last).total));
        row![strong(look, name).width(Length::Fill), quiet(look, now)].align_y(Alignment::Center).into()
    }

    /// The lines of one way.
    pub fn graph<'a>(&self, look: Look, traffic: &'a Traffic, way: Way) -> Element<'a, Message> {
        let shown = Kind::ALL.into_iter().filter(|kind| !self.hidden.contains(kind));
        let lines = shown.map(|kind| Line {
            colour: kind.colour(look),
            values: Box::new(move || traffic.seconds().map(|(_, rates)| kind.of(way.of(*rates))).collect()),
        });
        // A change of the legend counts as a version of its own: seconds never get that far.
        let version = traffic.version.wrapping_add(self.changes << 40);
        chart(look, version, lines.collect(), look.scaled(150.0))
    }

    /// What the colours mean; pressing one hides its line or shows it.
    pub fn legend<'a>(&self, look: Look) -> Element<'a, Message> {
        let all = Kind::ALL.into_iter().zip(text::KINDS).map(|(kind, name)| {
            let c = look.colours;
            let on = !self.hidden.contains(&kind);
            let colour = kind.colour(look);
            let dot = container(iced::widget::space().width(8).height(8)).style(move |_| {
                let fill = if on { colour } else { Color::TRANSPARENT };
                iced::widget::container::Style {
                    border: Border { color: colour, width: 1.0, radius: 4.0.into() },
                    ..filled(fill, None, 4.0)
                }
            });
            let words = quiet(look, name).color(if on { c.text } else { c.quiet });
            let press = iced::widget::button(row![dot, words].spacing(6).align_y(Alignment::Center))
                .padding([4, 6])
                .style(move |_, status| iced::widget::button::Style {
                    background: matches!(status, iced::widget::button::Status::Hovered).then_some(c.raised.into()),
                    border: Border { radius: RADIUS.into(), ..Border::default() },
                    text_color: c.text,
                    ..Default::default()
                })
                .on_press(Message::Toggle(kind));
            Focus::new(look, press).id(format!("legend-{name}")).on_activate(Some(Message::Toggle(kind))).into()
        });
        Row::with_children(all).spacing(2).wrap().into()
    }
}

/// What stands in the table's row of a peer, after the name.
pub fn cells(peer: Option<&Peer>) -> [String; 9] {
    let Some(peer) = peer else { return std::array::from_fn(|_| text::UNKNOWN.to_owned()) };
    let rate = |bps: Option<u64>| bps.map_or_else(|| text::UNKNOWN.to_owned(), text::rate);
    let layer = peer.video.as_ref().and_then(|video| video.layer.clone());
    [
        text::ms(peer.link.rtt_ms),
        text::percent(peer.link.loss),
        text::ms(peer.link.jitter_ms),
        rate(peer.link.received_bps),
        rate(peer.link.sent_bps),
        text::picture(peer.video.as_ref()),
        text::picture(peer.screen.as_ref()),
        layer.unwrap_or_else(|| text::UNKNOWN.to_owned()),
        text::latency(peer),
    ]
}

/// A card with a graph, for the page.
pub fn graph_card<'a>(
    stats: &Stats,
    look: Look,
    meeting: &'a Meeting,
    way: Way,
    name: &'a str,
) -> Element<'a, Message> {
    let traffic = &meeting.traffic;
    let inside = column![stats.head(look, traffic, way, name), stats.graph(look, traffic, way)].spacing(8);
    card(look, inside).width(Length::Fill).into()
}

#[cfg(test)]
mod tests;
