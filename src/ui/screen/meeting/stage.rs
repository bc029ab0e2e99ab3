//! The stage: everybody's tiles, one's own on top of them, and what is seen while one is alone.

use std::collections::BTreeMap;

use iced::widget::{center, column, container, mouse_area, opaque, responsive, row, scrollable, stack};
use iced::{Element, Length, Point, Rectangle, Size as Area, mouse};

use super::tile::Tile;
use super::{Invitation, Message, Screen, Shown, sharing, shut};
use crate::id::PeerId;
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::model::meeting::Meeting;
use crate::ui::text::meeting as words;
use crate::ui::theme::{GAP, HALF, Look, PAD, RADIUS, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::grid::{self, Arrangement, arrange};
use crate::ui::widget::places::Places;
use crate::ui::widget::{avatar, card, focus::Focus, label, strong, title};

/// Width of one's own tile, as a part of the stage, and its bounds.
const OWN: (f32, f32, f32) = (0.18, 120.0, 320.0);

/// A corner of the stage, where one's own tile rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "each name says what it is")]
pub enum Corner {
    UpperLeft,
    UpperRight,
    LowerLeft,
    #[default]
    LowerRight,
}

impl Corner {
    /// The corner that the middle of `tile` is nearest to.
    pub fn nearest(area: Area, tile: Rectangle) -> Self {
        let middle = tile.center();
        match (middle.x < area.width / 2.0, middle.y < area.height / 2.0) {
            (true, true) => Self::UpperLeft,
            (false, true) => Self::UpperRight,
            (true, false) => Self::LowerLeft,
            (false, false) => Self::LowerRight,
        }
    }

    /// The corner that an arrow key leads to.
    fn toward(self, key: &iced::keyboard::Key) -> Option<Self> {
        use iced::keyboard::key::Named;
        let iced::keyboard::Key::Named(key) = key else { return None };
        let (left, upper) =
            (matches!(self, Self::UpperLeft | Self::LowerLeft), matches!(self, Self::UpperLeft | Self::UpperRight));
        let (left, upper) = match key {
            Named::ArrowLeft => (true, upper),
            Named::ArrowRight => (false, upper),
            Named::ArrowUp => (left, true),
            Named::ArrowDown => (left, false),
            _ => return None,
        };
        Some(match (left, upper) {
            (true, true) => Self::UpperLeft,
            (false, true) => Self::UpperRight,
            (true, false) => Self::LowerLeft,
            (false, false) => Self::LowerRight,
        })
    }

    /// Where a tile of `size` rests.
    fn place(self, area: Area, size: Area) -> Rectangle {
        let (right, low) = ((area.width - size.width - 8.0).max(0.0), (area.height - size.height - 8.0).max(0.0));
        let point = match self {
            Self::UpperLeft => Point::new(8.0, 8.0),
            Self::UpperRight => Point::new(right, 8.0),
            Self::LowerLeft => Point::new(8.0, low),
            Self::LowerRight => Point::new(right, low),
        };
        Rectangle::new(point, size)
    }
}

/// Where one's own tile is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Own {
    /// Where it rests.
    pub corner: Corner,
    /// It is held: where it was taken hold of, and where it is.
    pub held: Option<Held>,
}

/// One's own tile under the pointer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Held {
    /// From its corner to the pointer; not known before the pointer moves.
    grip: Option<iced::Vector>,
    /// Where it is now.
    pub place: Option<Rectangle>,
}

impl Own {
    /// Its size on a stage.
    fn size(area: Area) -> Area {
        let (share, least, most) = OWN;
        let width = (area.width * share).clamp(least, most).min(area.width / 2.0).floor();
        Area::new(width, (width * 9.0 / 16.0).floor())
    }

    /// Where it is on a stage.
    fn place(&self, area: Area) -> Rectangle {
        self.held.and_then(|held| held.place).unwrap_or_else(|| self.corner.place(area, Self::size(area)))
    }

    /// The pointer that holds it moved.
    pub fn on_move(&mut self, at: Point, area: Area) {
        let rest = self.corner.place(area, Self::size(area));
        let Some(held) = &mut self.held else { return };
        let grip = *held.grip.get_or_insert(at - rest.position());
        let (right, low) = ((area.width - rest.width).max(0.0), (area.height - rest.height).max(0.0));
        let point = Point::new((at.x - grip.x).clamp(0.0, right), (at.y - grip.y).clamp(0.0, low));
        held.place = Some(Rectangle::new(point, rest.size()));
    }

    /// The pointer let it go.
    pub fn on_drop(&mut self, area: Area) {
        if let Some(place) = self.held.take().and_then(|held| held.place) {
            self.corner = Corner::nearest(area, place);
        }
    }
}

/// All of it.
pub fn view<'a>(screen: &'a Screen, context: Context<'a>, meeting: &'a Meeting) -> Element<'a, Message> {
    let inside = responsive(move |area| {
        if meeting.people.is_empty() {
            alone(screen, context, meeting, area)
        } else {
            company(screen, context, meeting, area)
        }
    });
    container(inside).padding(grid::GAP).width(Length::Fill).height(Length::Fill).into()
}

fn company<'a>(screen: &'a Screen, context: Context<'a>, meeting: &'a Meeting, area: Area) -> Element<'a, Message> {
    let hands = places_of_hands(meeting);
    let mut people = meeting.in_order();
    let featured = screen.featured(meeting);
    // What is shared takes the stage, unless somebody else is pinned.
    let sharer = match screen.shown {
        Shown::Pinned(peer) => meeting.people.get(&peer).filter(|one| one.shares()),
        Shown::Grid | Shown::Speaker => meeting.sharer(screen.pinned),
    };
    let arrangement = match featured {
        _ if sharer.is_some() => Arrangement::Featured,
        Some(peer) => {
            // The large one first, the others in their order.
            people.sort_by_key(|participant| participant.person.peer != peer);
            Arrangement::Featured
        }
        None => Arrangement::Even,
    };
    let tiles = people.len() + usize::from(sharer.is_some());
    let arranged = arrange(area, tiles, arrangement);
    let missing = tiles - arranged.places.len();
    // One's own tile lies over the large one, never over the strip beside it.
    let ground = match (arrangement, arranged.places.first()) {
        (Arrangement::Featured, Some(main)) => main.size(),
        _ => area,
    };
    let mut places = Places::new();
    let mut free = arranged.places.into_iter();
    if let Some((owner, place)) = sharer.zip(if sharer.is_some() { free.next() } else { None }) {
        places = places.push(place, sharing::screen(context, owner));
    }
    for (participant, place) in people.into_iter().zip(free) {
        let peer = participant.person.peer;
        let tile = Tile {
            speaking: screen.speaking.contains(&Some(peer)),
            hand: hands.get(&peer).copied(),
            pinned: screen.shown == Shown::Pinned(peer),
            reactions: meeting.reactions.of(peer, context.now),
            ..Tile::of(participant)
        };
        places = places.push(place, tile.view(context, place.size()));
    }
    if let Some(place) = arranged.more {
        places = places.push(place, more(context.look, missing));
    }
    let mut layers = stack![places].width(Length::Fill).height(Length::Fill);
    if context.choices.own_tile {
        let place = screen.own.place(ground);
        layers = layers.push(Places::new().push(place, own_small(screen, context, meeting, place.size())));
    }
    if screen.own.held.is_some() {
        // Over everything, so that a quick pointer does not lose the tile.
        let all = mouse_area(container("").width(Length::Fill).height(Length::Fill))
            .on_move(move |at| Message::OwnMoved(at, ground))
            .on_release(Message::OwnDropped(ground))
            .interaction(mouse::Interaction::Grabbing);
        layers = layers.push(opaque(all));
    }
    layers.into()
}

fn places_of_hands(meeting: &Meeting) -> BTreeMap<PeerId, usize> {
    meeting.hands.iter().zip(1..).map(|(person, place)| (person.peer, place)).collect()
}

/// Those without a tile.
fn more<'a>(look: Look, count: usize) -> Element<'a, Message> {
    let words = center(title(look, words::more(count)));
    let press = Message::Panel(crate::ui::choices::Panel::People);
    let c = look.colours;
    // As around a tile.
    let line = (c.stage == c.ground).then_some(c.line);
    let box_ = mouse_area(words.style(move |_| card::filled(c.stage, line, RADIUS))).on_press(press.clone());
    Focus::new(look, box_).id("more-people").on_activate(Some(press)).into()
}

fn own_tile<'a>(screen: &'a Screen, context: Context<'a>, meeting: &'a Meeting) -> Tile<'a> {
    let me = context.model.me.as_ref();
    let peer = me.map(|me| me.peer);
    Tile {
        peer: None,
        colour: peer.map_or(context.look.colours.accent, avatar::colour),
        name: words::YOU,
        initials: me.map_or(words::YOU, |me| me.name.as_str()),
        picture: meeting.camera_on(),
        microphone: meeting.microphone_on(),
        speaking: screen.speaking.contains(&None),
        hand: peer.and_then(|peer| places_of_hands(meeting).get(&peer).copied()),
        pinned: false,
        silent: false,
        link: None,
        reactions: peer.map(|peer| meeting.reactions.of(peer, context.now)).unwrap_or_default(),
    }
}

/// One's own tile over the others: it can be moved, and hidden.
fn own_small<'a>(screen: &'a Screen, context: Context<'a>, meeting: &'a Meeting, size: Area) -> Element<'a, Message> {
    let look = context.look;
    let tile = own_tile(screen, context, meeting).view(context, size);
    let mut layers = stack![tile];
    if screen.over_own {
        let hide = button::with_icon(look, Kind::Plain, Icon::EyeOff, words::HIDE_OWN)
            .small()
            .id("hide-own")
            .on_press(Message::OwnTile(false));
        layers = layers.push(container(hide).padding(HALF).align_right(Length::Fill));
    }
    let area = mouse_area(layers)
        .on_press(Message::OwnHeld)
        .on_enter(Message::OverOwn(true))
        .on_exit(Message::OverOwn(false))
        .interaction(mouse::Interaction::Grab);
    let corner = screen.own.corner;
    Focus::new(look, area).id("own-tile").on_key(move |key, _| corner.toward(key).map(Message::OwnCorner)).into()
}

/// Nobody else is here: one's own picture, and how others get here.
fn alone<'a>(screen: &'a Screen, context: Context<'a>, meeting: &'a Meeting, area: Area) -> Element<'a, Message> {
    let look = context.look;
    let beside = area.width >= look.scaled(720.0);
    let bar = scrollable::Direction::Vertical(card::scrollbar().spacing(HALF));
    let inside = match meeting.shut() {
        Some(shut) => shut::view(context, meeting, shut),
        None => invitation(screen, context),
    };
    let invitation = scrollable(inside).direction(bar).style(card::scroller(look));
    if beside {
        let wide = (area.width - grid::GAP - look.scaled(360.0)).max(1.0);
        let high = area.height.min(wide / 1.2);
        let tile = own_tile(screen, context, meeting).view(context, Area::new(wide, high));
        let tile = center(container(tile).width(wide).height(high)).width(wide);
        row![tile, center(invitation)].spacing(grid::GAP).into()
    } else {
        let high = (area.width * 9.0 / 16.0).min(area.height * 0.5).floor();
        let tile = own_tile(screen, context, meeting).view(context, Area::new(area.width, high));
        column![container(tile).height(high), center(invitation)].spacing(grid::GAP).into()
    }
}

/// How others get here.
fn invitation<'a>(screen: &'a Screen, context: Context<'a>) -> Element<'a, Message> {
    let look = context.look;
    let meeting = context.model.meeting.as_ref();
    if meeting.is_some_and(|meeting| meeting.met && meeting.room.is_call()) {
        let title = strong(look, words::CALL_OVER).size(look.size(Size::Large));
        let inside = column![title, label(look, words::CALL_OVER_HINT).color(look.colours.quiet)];
        return card(look, inside.spacing(PAD)).padding(GAP).width(Length::Fill).into();
    }
    if meeting.is_some_and(|meeting| meeting.room.is_call()) {
        let title = strong(look, words::CALL_WAITS).size(look.size(Size::Large));
        let inside = column![title, label(look, words::CALL_WAITS_HINT).color(look.colours.quiet)];
        return card(look, inside.spacing(PAD)).padding(GAP).width(Length::Fill).into();
    }
    let alone = if meeting.is_some_and(|meeting| meeting.met) { words::ALL_LEFT } else { words::ALONE };
    let hint = if meeting.is_some_and(|meeting| meeting.announced) { words::ALONE_HINT } else { words::ALONE_HIDDEN };
    let invite = match &screen.invitation {
        Invitation::Known(invite) => Some(invite.card(look).map(Message::Invitation)),
        Invitation::Unknown | Invitation::Asked => None,
    };
    let title = strong(look, alone).size(look.size(Size::Large));
    let inside = column![title, label(look, hint).color(look.colours.quiet), invite];
    card(look, inside.spacing(PAD)).padding(GAP).width(Length::Fill).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_tile_follows_the_pointer_and_rests_in_the_nearest_corner() {
        let area = Area::new(900.0, 600.0);
        let mut own = Own::default();
        let rest = own.place(area);
        assert!(rest.x + rest.width <= area.width && rest.y > area.height / 2.0);
        own.held = Some(Held::default());
        let grip = rest.position() + iced::Vector::new(10.0, 10.0);
        own.on_move(grip, area);
        assert_eq!(own.place(area), rest, "taking hold moves nothing");
        own.on_move(Point::new(-500.0, -500.0), area);
        assert_eq!(own.place(area).position(), Point::ORIGIN, "it stays on the stage");
        own.on_drop(area);
        assert_eq!((own.corner, own.held), (Corner::UpperLeft, None));
        own.held = Some(Held::default());
        own.on_drop(area);
        assert_eq!(own.corner, Corner::UpperLeft, "a press alone moves nothing");
    }
}
