//! The left side: you, as others will see and hear you.

use iced::widget::{button as pressable, center, column, container, progress_bar, row, stack};
use iced::{Alignment, Background, Border, Element, Length};

use super::{Lobby, Message};
use crate::engine::devices::Kind as DeviceKind;
use crate::engine::pictures::{Facing, Key};
use crate::ui::app::Context;
use crate::ui::icon::Icon;
use crate::ui::session::Session;
use crate::ui::session::preview::At;
use crate::ui::text::lobby as words;
use crate::ui::theme::{CONTROL_SMALL, GRID, HALF, Look, PAD, RADIUS, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::card::filled;
use crate::ui::widget::devices::{Pick, picks};
use crate::ui::widget::focus::Focus;
use crate::ui::widget::tile::Tile;
use crate::ui::widget::{avatar, field, label, quiet};

/// All of it.
pub fn view<'a>(lobby: &'a Lobby, context: Context<'a>, session: &'a Session) -> Element<'a, Message> {
    let look = context.look;
    let c = look.colours;
    let me = context.model.me.as_ref();
    let shown = me.map_or("", |me| me.name.as_str());
    let name = field::line(look, "name", words::YOUR_NAME, lobby.name.as_deref().unwrap_or(shown))
        .on_input(Message::Name)
        .on_submit(Message::NameDone)
        .width(Length::Fill);
    let done = lobby.name.is_some().then(|| {
        Element::from(
            button::with_icon(look, Kind::Primary, Icon::Check, words::KEEP_NAME)
                .id("name-done")
                .on_press(Message::NameDone),
        )
    });
    let face = me.map(|me| avatar(look, shown, me.peer, 40.0));
    let name = row![face, name, done].spacing(12).align_y(Alignment::Center);
    let mut inside = vec![name.into()];
    inside.push(devices(lobby, context, session));
    let body = column(inside).spacing(PAD).padding(PAD);
    // The line around the card stays outside of the picture.
    let card = container(column![stage(lobby, context, session), body])
        .padding(1)
        .clip(true)
        .width(Length::Fill)
        .style(move |_| filled(c.surface, Some(c.line), RADIUS));
    let introduced = !context.choices.rendezvous.is_empty();
    let encrypted = if introduced { words::ENCRYPTED_INTRODUCED } else { words::ENCRYPTED };
    let promise = row![Icon::Lock.coloured(look, Size::Body, c.good), quiet(look, encrypted).width(Length::Fill)];
    column![card, promise.spacing(GRID).align_y(Alignment::Center)].spacing(PAD).into()
}

/// One's own picture, or what stands in its place, with the two switches.
fn stage<'a>(lobby: &'a Lobby, context: Context<'a>, session: &'a Session) -> Element<'a, Message> {
    let look = context.look;
    let c = look.colours;
    let choices = context.choices;
    let switch = |icon: Icon, tip: &'static str, id: &'static str, on: bool, message: Message| {
        button::with_icon(look, if on { Kind::Plain } else { Kind::Danger }, icon, tip).small().id(id).on_press(message)
    };
    let microphone = if choices.push_to_talk {
        // Nothing to switch: the settings decide it.
        button::with_icon(look, Kind::Plain, Icon::MicrophoneOff, words::MICROPHONE_TALK).small().id("microphone")
    } else if choices.microphone_on {
        switch(Icon::Microphone, words::MICROPHONE_OFF, "microphone", true, Message::Microphone)
    } else {
        switch(Icon::MicrophoneOff, words::MICROPHONE_ON, "microphone", false, Message::Microphone)
    };
    let camera = if choices.camera_on {
        switch(Icon::Camera, words::CAMERA_OFF, "camera", true, Message::Camera)
    } else {
        // Off is how it starts: no alarm.
        button::with_icon(look, Kind::Plain, Icon::CameraOff, words::CAMERA_ON)
            .small()
            .id("camera")
            .on_press(Message::Camera)
    };
    let picture: Element<'a, Message> = match session.previewed().pictures() {
        // Two pixels less than the card's corners, whose line is outside of it.
        Some(pictures) => Tile::new(pictures.clone(), Key::own())
            .facing(Facing::Mirrored)
            .radius(RADIUS - 1.0)
            .scale(context.scale)
            .into(),
        None => {
            let icon = Icon::CameraOff.coloured(look, Size::Title, c.quiet);
            let words = match &lobby.no_camera {
                Some(why) => why.as_str(),
                None if choices.camera_on => words::CAMERA_WILL_BE_ON,
                None => words::CAMERA_IS_OFF,
            };
            let see = choices.camera_on.then(|| {
                Element::from(
                    button::with_words(look, Kind::Plain, words::SEE_YOURSELF).small().id("see").on_press(Message::See),
                )
            });
            let words = quiet(look, words).align_x(iced::alignment::Horizontal::Center);
            center(column![icon, words, see].spacing(GRID).align_x(Alignment::Center)).padding(PAD).into()
        }
    };
    let switches = container(row![microphone, camera].spacing(GRID)).padding(12).align_bottom(Length::Fill);
    container(stack![picture, switches])
        .width(Length::Fill)
        .height(look.scaled(200.0))
        .style(move |_| container::Style {
            background: Some(Background::Color(c.stage)),
            border: Border { radius: iced::border::top(RADIUS - 1.0), ..Border::default() },
            ..Default::default()
        })
        .into()
}

/// The chosen devices; opened: the pickers, the meter and the test sound.
fn devices<'a>(lobby: &'a Lobby, context: Context<'a>, session: &'a Session) -> Element<'a, Message> {
    let look = context.look;
    let c = look.colours;
    let icon = if lobby.pickers { Icon::Up } else { Icon::Down };
    let head = row![
        Icon::Quality.coloured(look, Size::Large, c.quiet),
        label(look, words::DEVICES).width(Length::Fill),
        icon.coloured(look, Size::Large, c.quiet)
    ];
    let head = pressable(head.spacing(GRID).align_y(Alignment::Center))
        .width(Length::Fill)
        .padding([look.scaled(10.9), 12.0])
        .style(button::style(look, Kind::Plain))
        .on_press(Message::Pickers);
    let head = Focus::new(look, head).id("devices").on_activate(Some(Message::Pickers));
    if !lobby.pickers {
        return head.into();
    }
    let picker = |kind: DeviceKind, icon: Icon, name: &'static str, spec: &str| {
        let (options, selected) = picks(lobby.devices.as_ref(), kind, spec);
        let list = field::picker(look, format!("pick-{kind}"), options, selected, name, move |pick: Pick| {
            Message::Pick(kind, pick.spec)
        });
        row![icon.coloured(look, Size::Large, c.quiet), list].spacing(GRID).align_y(Alignment::Center)
    };
    let choices = context.choices;
    let camera = picker(DeviceKind::Camera, Icon::Camera, words::CAMERA, &choices.camera);
    let microphone = picker(DeviceKind::Microphone, Icon::Microphone, words::MICROPHONE, &choices.microphone);
    let speaker = picker(DeviceKind::Speaker, Icon::Speaker, words::SPEAKER, &choices.speaker);
    let running = session.previewed().sounds();
    let recording = running.filter(|at| !matches!(at, At::Notes));
    let press = |runs: bool, begin: (&'static str, &'static str), id: &'static str, message: Message| {
        let (kind, (name, tip)) =
            if runs { (Kind::Danger, (words::STOP, words::STOP_TIP)) } else { (Kind::Plain, begin) };
        Element::from(button::with_words(look, kind, name).tip(tip).id(id).on_press(message))
    };
    let test = press(running == Some(At::Notes), (words::TEST, words::TEST_TIP), "test-sound", Message::Test);
    let record = press(recording.is_some(), (words::RECORD, words::RECORD_TIP), "record-sound", Message::Record);
    let said = recording.map(|at| {
        let words = match at {
            At::Recording(left) => words::recording(left),
            At::Beginning => words::BEGINNING.to_owned(),
            At::Playing | At::Notes => words::PLAYING.to_owned(),
        };
        container(label(look, words)).padding(iced::Padding::default().left(CONTROL_SMALL - GRID))
    });
    let meter = session.previewed().level().map(|level| meter(look, level));
    column![head, camera, microphone.push(record), said, meter, speaker.push(test)].spacing(12).into()
}

/// How loud the microphone is.
fn meter<'a>(look: Look, level: f32) -> Element<'a, Message> {
    let c = look.colours;
    let bar = progress_bar(0.0..=1.0, level).girth(HALF + 2.0).style(move |_| progress_bar::Style {
        background: Background::Color(c.raised),
        bar: Background::Color(c.good),
        border: Border { radius: HALF.into(), ..Border::default() },
    });
    container(bar).padding(iced::Padding::default().left(CONTROL_SMALL - GRID)).into()
}
