//! What is shared: the bar that says that we do, and somebody's screen on the stage.

use iced::widget::text::Wrapping;
use iced::widget::{column, container, mouse_area, row, stack};
use iced::{Alignment, Element, Length};

use super::Message;
use crate::engine::pictures::{Fit, Key};
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::model::meeting::{Meeting, Participant};
use crate::ui::text::meeting as words;
use crate::ui::theme::{HALF, MEDIUM, PAD, RADIUS, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::filled;
use crate::ui::widget::focus::Focus;
use crate::ui::widget::tile::Tile as Picture;
use crate::ui::widget::{divider, label, strong};

/// The bar below the top bar while we share: nobody shares without knowing.
pub fn view<'a>(context: Context<'a>, meeting: &'a Meeting) -> Option<Element<'a, Message>> {
    if !meeting.sharing() {
        return None;
    }
    let look = context.look;
    let c = look.colours;
    let id = meeting.settings.screen.to_string();
    let screens = context.model.screens.iter().flatten();
    let name = screens.into_iter().find(|screen| screen.id == id).map_or(words::A_SCREEN, |screen| &screen.name);
    let said = strong(look, words::sharing(name)).wrapping(Wrapping::None);
    let stop = button::with_words(look, Kind::Danger, words::STOP_SHARING)
        .icon(Icon::ScreenOff)
        .small()
        .id("stop-sharing")
        .on_press(Message::Share);
    let said = row![Icon::Screen.coloured(look, Size::Large, c.accent), container(said).width(Length::Fill).clip(true)];
    let bar = row![said.spacing(8).align_y(Alignment::Center), Element::from(stop)];
    let bar = container(bar.spacing(PAD).align_y(Alignment::Center)).padding([6.0, PAD]).width(Length::Fill);
    let bar = bar.style(move |_| filled(c.raised, None, 0.0));
    Some(column![bar, divider(look)].into())
}

/// The screen of somebody, whole, in the place that the stage gives it. A double click makes its owner large for good.
pub fn screen<'a>(context: Context<'a>, owner: &'a Participant) -> Element<'a, Message> {
    let look = context.look;
    let c = look.colours;
    let peer = owner.person.peer;
    let ground = container("").width(Length::Fill).height(Length::Fill).style(move |_| filled(c.stage, None, RADIUS));
    let mut layers = stack![ground].width(Length::Fill).height(Length::Fill);
    if let Some(handle) = context.handle {
        let picture = Picture::new(handle.pictures(), Key::screen(peer)).fit(Fit::Contain).scale(context.scale);
        layers = layers.push(picture);
    }
    let name = label(look, words::shared_by(owner.person.name.as_str())).wrapping(Wrapping::None);
    let name = name.size(look.size(Size::Small)).font(MEDIUM).color(c.on_veil);
    let name = row![Icon::Screen.coloured(look, Size::Small, c.on_veil), name].spacing(6).align_y(Alignment::Center);
    let veil = c.veil;
    let chip = container(name).padding([HALF, 8.0]).style(move |_| filled(veil, None, HALF));
    layers = layers.push(container(chip).padding(8).align_bottom(Length::Fill));
    let pin = Message::Pin(peer);
    let area = mouse_area(layers).on_double_click(pin.clone());
    Focus::new(look, area).id(format!("shared-{peer}")).on_activate(Some(pin)).into()
}
