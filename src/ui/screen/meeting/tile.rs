//! One person on the stage: the picture or the initials, and over it what one needs to know.

use iced::widget::{Space, center, column, container, mouse_area, row, stack, text};
use iced::{Alignment, Border, Color, Element, Length, Size as Area};

use super::Message;
use crate::engine::pictures::{Facing, Key};
use crate::id::PeerId;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::model::meeting::Participant;
use crate::ui::model::quality::Quality;
use crate::ui::text::meeting as words;
use crate::ui::theme::{EMOJI, HALF, Look, MEDIUM, ON_PEOPLE, RADIUS, RING, STRONG, Size};
use crate::ui::widget::button;
use crate::ui::widget::card::filled;
use crate::ui::widget::focus::Focus;
use crate::ui::widget::tile::Tile as Picture;
use crate::ui::widget::{avatar, line};

/// A tile lower than this shows only what matters most.
const LOW: f32 = 104.0;
/// Height of the name in such a tile.
const NAME: f32 = 28.0;

/// What a tile shows.
#[derive(Debug)]
pub struct Tile<'a> {
    /// Whose; `None` is oneself.
    pub peer: Option<PeerId>,
    /// The colour of its circle.
    pub colour: Color,
    /// Its name.
    pub name: &'a str,
    /// The name that its initials are of.
    pub initials: &'a str,
    /// Its camera is on.
    pub picture: bool,
    /// Its microphone is on.
    pub microphone: bool,
    /// It speaks now.
    pub speaking: bool,
    /// Which place its raised hand has, from 1.
    pub hand: Option<usize>,
    /// It is pinned.
    pub pinned: bool,
    /// Nothing was heard of it for a while.
    pub silent: bool,
    /// How good its link is, and what is known of it.
    pub link: Option<(Quality, String)>,
    /// How far each of its reactions has floated, 0 to 1.
    pub reactions: Vec<(&'a str, f32)>,
}

impl<'a> Tile<'a> {
    /// Somebody else's.
    pub fn of(participant: &'a Participant) -> Self {
        let link = participant
            .stats
            .as_ref()
            .and_then(|stats| Some((Quality::of(stats)?, words::link(stats.link.rtt_ms, stats.link.loss))));
        Self {
            peer: Some(participant.person.peer),
            colour: avatar::colour(participant.person.peer),
            name: participant.person.name.as_str(),
            initials: participant.person.name.as_str(),
            picture: participant.has_picture(),
            microphone: participant.speaks(),
            speaking: false,
            hand: None,
            pinned: false,
            silent: participant.presence == crate::meeting::Presence::Suspected,
            link,
            reactions: Vec::new(),
        }
    }

    /// The tile in a place of this size.
    pub fn view(self, context: Context<'a>, size: Area) -> Element<'a, Message> {
        let look = context.look;
        let c = look.colours;
        let low = size.height < look.scaled(LOW);
        let circle = (size.width.min(size.height) * 0.32).clamp(20.0, 160.0);
        // In a low tile the name would lie over the circle.
        let name = if low { look.scaled(NAME).min(size.height - circle).max(0.0) } else { 0.0 };
        let ground = center(initials(self.initials, self.colour, circle))
            .padding(iced::Padding::default().bottom(name))
            .style(move |_| filled(c.stage, None, RADIUS));
        let mut layers = stack![ground].width(Length::Fill).height(Length::Fill);
        if self.picture {
            layers = layers.push(picture(context, self.peer));
        }
        // One's own lies over others: a line parts them.
        let (ring, wide) = match (self.speaking, self.peer) {
            (true, _) => (c.accent, RING),
            (false, None) => (c.line, 1.0),
            // Where the stage has the colour of the ground only a line shows where a tile ends.
            (false, Some(_)) if c.stage == c.ground => (c.line, 1.0),
            (false, Some(_)) => (Color::TRANSPARENT, 0.0),
        };
        let over = container(self.over(look, low)).width(Length::Fill).height(Length::Fill).style(move |_| {
            let border = Border { color: ring, width: wide, radius: RADIUS.into() };
            container::Style { border, ..Default::default() }
        });
        layers = layers.push(over);
        for (emoji, way) in &self.reactions {
            layers = layers.push(floating(look, emoji, *way, size));
        }
        if self.silent {
            let word = chip(look, text(words::RECONNECTING).size(look.size(Size::Body)).color(c.on_veil).into());
            layers = layers.push(center(word));
        }
        let Some(peer) = self.peer else { return layers.into() };
        let pin = Message::Pin(peer);
        let area = mouse_area(layers).on_double_click(pin.clone());
        Focus::new(look, area).id(format!("tile-{peer}")).on_activate(Some(pin)).into()
    }

    /// Everything that lies over the picture.
    fn over(&self, look: Look, low: bool) -> Element<'a, Message> {
        let c = look.colours;
        let hand = self.hand.map(|place| {
            let number = text(place.to_string()).size(look.size(Size::Large)).font(STRONG).color(c.on_veil);
            let inside = row![Icon::Hand.coloured(look, Size::Large, look.over_picture().caution), number];
            chip(look, inside.spacing(8).align_y(Alignment::Center).into())
        });
        let pin = self.pinned.then(|| chip(look, Icon::Pin.coloured(look, Size::Body, c.on_veil).into()));
        let (icon, colour) = if self.microphone {
            (Icon::Microphone, c.on_veil)
        } else {
            (Icon::MicrophoneOff, look.over_picture().danger)
        };
        let name = line(look, self.name).size(look.size(Size::Small)).font(MEDIUM).color(c.on_veil);
        let name = row![icon.coloured(look, Size::Small, colour), name].spacing(6).align_y(Alignment::Center);
        let link = self.link.as_ref().filter(|_| !low && !self.silent).map(|(quality, figures)| {
            let (icon, colour) = signal(look, *quality);
            let icon = chip(look, icon.coloured(look, Size::Small, colour).into());
            button::with_tip(look, icon, Some(figures.clone()))
        });
        let pad = if low { HALF } else { 8.0 };
        // Not below: there the own tile lies over one of them.
        let top = row![hand, Space::new().width(Length::Fill), pin, link].spacing(8).align_y(Alignment::Start);
        let name = container(chip(look, name.into())).width(Length::Fill);
        column![top, Space::new().height(Length::Fill), name].padding(pad).into()
    }
}

/// The circle with initials, at a size that follows the tile and not the text.
fn initials<'a>(name: &str, colour: Color, size: f32) -> Element<'a, Message> {
    center(text(avatar::initials(name)).font(STRONG).size(size * 0.38).color(ON_PEOPLE))
        .width(size)
        .height(size)
        .style(move |_| filled(colour, None, size / 2.0))
        .into()
}

/// The picture of somebody (`None`: one's own, mirrored).
fn picture<'a>(context: Context<'a>, peer: Option<PeerId>) -> Option<Element<'a, Message>> {
    let (key, facing) = match peer {
        Some(peer) => (Key::camera(peer), Facing::Straight),
        None => (Key::own(), Facing::Mirrored),
    };
    let pictures = context.handle?.pictures();
    Some(Picture::new(pictures, key).facing(facing).radius(RADIUS).scale(context.scale).into())
}

/// The icon and colour of a link, over a veil.
pub fn signal(look: Look, quality: Quality) -> (Icon, Color) {
    let c = look.over_picture();
    match quality {
        Quality::Good => (Icon::Signal, c.good),
        Quality::Fair => (Icon::SignalLow, c.caution),
        Quality::Poor => (Icon::SignalNone, c.danger),
    }
}

/// A dark ground for words over a picture.
fn chip<'a>(look: Look, content: Element<'a, Message>) -> Element<'a, Message> {
    let veil = look.colours.veil;
    container(content).padding([HALF, 8.0]).style(move |_| filled(veil, None, HALF)).into()
}

/// An emoji on its way up. Where nothing is to move it stands still.
fn floating<'a>(look: Look, emoji: &'a str, way: f32, size: Area) -> Element<'a, Message> {
    let way = if look.motion { way } else { 0.3 };
    let height = (size.height * 0.16).clamp(16.0, 56.0);
    let up = (size.height - height * 1.4).max(0.0) * way * 0.8;
    container(text(emoji).font(EMOJI).size(height).line_height(iced::widget::text::LineHeight::Relative(1.2)))
        .padding(iced::Padding::default().bottom(up))
        .center_x(Length::Fill)
        .align_bottom(Length::Fill)
        .into()
}
