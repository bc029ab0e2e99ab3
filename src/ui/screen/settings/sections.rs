//! The pages of the settings.

use iced::widget::{Column, column, row};
use iced::{Alignment, Element, Length};

use super::{Ask, Message};
use crate::engine::devices::{Devices, Kind as Device};
use crate::meeting::{KnownPerson, Trust};
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::icon::Icon;
use crate::ui::keys::SHEET;
use crate::ui::text::settings as words;
use crate::ui::theme::{Choice, GAP, HALF, Look, PAD, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::{avatar, card, divider, field, label, quiet, strong};

type Page<'a> = Element<'a, Message>;

/// A message that keeps the choices with one of them changed.
fn choose(choices: &Choices, change: impl FnOnce(&mut Choices)) -> Message {
    let mut choices = choices.clone();
    change(&mut choices);
    Message::Choose(Box::new(choices))
}

fn named<'a>(look: Look, name: &'a str, control: impl Into<Page<'a>>) -> Page<'a> {
    column![strong(look, name), control.into()].spacing(8).into()
}

fn switch<'a>(
    context: Context<'a>,
    id: &'static str,
    name: &'a str,
    on: bool,
    set: impl Fn(&mut Choices, bool) + 'a,
) -> Page<'a> {
    field::switch(context.look, id, name, on, move |on| choose(context.choices, |choices| set(choices, on)))
}

/// The name.
pub fn profile<'a>(context: Context<'a>, name: &'a str) -> Page<'a> {
    let look = context.look;
    let line = field::line(look, "name", words::NAME, name).on_input(Message::Name).on_submit(Message::KeepName);
    let current = context.model.me.as_ref().map(|me| me.name.as_str()).unwrap_or_default();
    let new = !name.trim().is_empty() && name.trim() != current;
    let keep = button::with_words(look, Kind::Primary, words::KEEP_NAME)
        .id("keep-name")
        .on_press_maybe(new.then_some(Message::KeepName));
    let known = context.model.me.as_ref().map(|me| {
        let id = me.peer.to_string();
        let copy = button::with_words(look, Kind::Plain, words::COPY)
            .icon(Icon::Copy)
            .small()
            .id("copy-key")
            .on_press(Message::Ask(Ask::Copy(id.clone())));
        let key = row![label(look, id).width(Length::Fill), copy].spacing(PAD).align_y(Alignment::Center);
        card(look, column![strong(look, words::OWN_KEY), key, quiet(look, words::OWN_KEY_WHY)].spacing(8))
    });
    column![named(look, words::NAME, row![line, keep].spacing(8)), quiet(look, words::NAME_WHY), known]
        .spacing(PAD)
        .into()
}

/// A device as it stands in a picker: what is shown, and how it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    name: String,
    spec: String,
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// What can be chosen of one kind, and what is chosen.
pub fn choice_of(devices: &Devices, kind: Device, chosen: &str) -> (Vec<Shown>, Option<Shown>) {
    let shown = |name: &str, spec: &str| Shown { name: name.to_owned(), spec: spec.to_owned() };
    let mut all = vec![shown(words::DEFAULT_DEVICE, "device"), shown(words::NO_DEVICE, "none")];
    for device in devices.of(kind) {
        all.push(shown(&device.name, &format!("device:{}", device.name)));
    }
    if !all.iter().any(|option| option.spec == chosen) {
        // Chosen once and not plugged in now, or from the command line.
        all.push(shown(chosen.strip_prefix("device:").unwrap_or(chosen), chosen));
    }
    let selected = all.iter().find(|option| option.spec == chosen).cloned();
    (all, selected)
}

/// Cameras, microphones, speakers.
pub fn devices<'a>(context: Context<'a>, devices: Option<&'a Devices>) -> Page<'a> {
    let (look, choices) = (context.look, context.choices);
    let Some(devices) = devices else { return label(look, words::LOOKING).into() };
    let picker = |id: &'static str, kind: Device, chosen: &str, set: fn(&mut Choices, String)| {
        let (all, selected) = choice_of(devices, kind, chosen);
        field::picker(look, id, all, selected, words::DEFAULT_DEVICE, move |shown: Shown| {
            choose(choices, |choices| set(choices, shown.spec))
        })
    };
    let test = button::with_words(look, Kind::Plain, words::TEST_SOUND)
        .icon(Icon::Play)
        .id("test-sound")
        .on_press(Message::Ask(Ask::TestSound));
    let advice =
        row![Icon::Headphones.coloured(look, Size::Large, look.colours.caution), quiet(look, words::HEADPHONES)]
            .spacing(8)
            .align_y(Alignment::Center);
    column![
        named(look, words::CAMERA, picker("camera-device", Device::Camera, &choices.camera, |c, spec| c.camera = spec)),
        named(
            look,
            words::MICROPHONE,
            picker("microphone-device", Device::Microphone, &choices.microphone, |c, spec| c.microphone = spec)
        ),
        named(
            look,
            words::SPEAKER,
            picker("speaker-device", Device::Speaker, &choices.speaker, |c, spec| c.speaker = spec)
        ),
        test,
        advice,
        quiet(look, words::DEVICES_WHEN),
        divider(look),
        switch(context, "start-camera", words::START_CAMERA, choices.camera_on, |c, on| c.camera_on = on),
        switch(context, "start-microphone", words::START_MICROPHONE, choices.microphone_on, |c, on| c.microphone_on =
            on),
        switch(context, "push-to-talk", words::PUSH_TO_TALK, choices.push_to_talk, |c, on| c.push_to_talk = on),
    ]
    .spacing(PAD)
    .into()
}

/// The cap on the camera.
pub const QUALITIES: [(&str, &str); 7] = [
    ("auto", "Auto"),
    ("240p", "240p"),
    ("360p", "360p"),
    ("480p", "480p"),
    ("720p", "720p"),
    ("900p", "900p"),
    ("1080p", "1080p"),
];

/// Buttons of which one is chosen.
fn one_of<'a>(look: Look, options: impl Iterator<Item = (&'static str, &'static str, bool, Message)>) -> Page<'a> {
    let buttons = options.map(|(id, name, chosen, message)| {
        let kind = if chosen { Kind::Chosen } else { Kind::Plain };
        button::with_words(look, kind, name).id(id).on_press(message).into()
    });
    row(buttons).spacing(8).wrap().vertical_spacing(8).into()
}

/// How much the camera sends.
pub fn video<'a>(context: Context<'a>) -> Page<'a> {
    let (look, choices) = (context.look, context.choices);
    let options = QUALITIES.into_iter().map(|(spec, name)| {
        let chosen = choices.quality == spec;
        (spec, name, chosen, choose(choices, |choices| spec.clone_into(&mut choices.quality)))
    });
    column![one_of(look, options), quiet(look, words::QUALITY_WHY)].spacing(PAD).into()
}

/// Rendezvous, port, interface, doctor.
pub fn network<'a>(context: Context<'a>, rendezvous: &'a str, port: &'a str, wrong: Option<&'static str>) -> Page<'a> {
    let (look, choices) = (context.look, context.choices);
    let service = field::line(look, "rendezvous", words::RENDEZVOUS_EXAMPLE, rendezvous)
        .on_input(Message::Rendezvous)
        .on_submit(Message::ApplyNetwork);
    let number =
        field::line(look, "port", words::PORT_USUAL, port).on_input(Message::Port).on_submit(Message::ApplyNetwork);
    let changed = choices.rendezvous != rendezvous.trim()
        || choices.port.map(|port| port.to_string()).unwrap_or_default() != port;
    let apply = button::with_words(look, Kind::Primary, words::APPLY)
        .id("apply-network")
        .on_press_maybe((changed && wrong.is_none()).then_some(Message::ApplyNetwork));
    let wrong = wrong.map(|wrong| label(look, wrong).color(look.colours.danger));
    let doctor = button::with_words(look, Kind::Plain, words::DOCTOR)
        .icon(Icon::Doctor)
        .id("doctor")
        .on_press(Message::Ask(Ask::Doctor));
    column![
        named(look, words::RENDEZVOUS, service),
        quiet(look, words::RENDEZVOUS_WHY),
        named(look, words::PORT, number),
        wrong,
        apply,
        quiet(look, words::NETWORK_WHEN),
        divider(look),
        doctor,
    ]
    .spacing(PAD)
    .into()
}

/// Who sees us, who may ring, where files land.
pub fn privacy<'a>(context: Context<'a>) -> Page<'a> {
    let (look, choices) = (context.look, context.choices);
    let folder =
        choices.download_dir.as_ref().map_or_else(|| words::DOWNLOADS.to_owned(), |dir| dir.display().to_string());
    let pick = button::with_words(look, Kind::Plain, words::CHOOSE)
        .icon(Icon::Folder)
        .small()
        .id("download-folder")
        .on_press(Message::Ask(Ask::PickFolder));
    let files = row![label(look, folder).width(Length::Fill), pick].spacing(PAD).align_y(Alignment::Center);
    column![
        switch(context, "announce", words::ANNOUNCE, choices.announce, |c, on| c.announce = on),
        quiet(look, words::ANNOUNCE_WHY),
        switch(context, "silence", words::SILENCE, choices.silence_unknown, |c, on| c.silence_unknown = on),
        switch(context, "notifications", words::NOTIFICATIONS, choices.notifications, |c, on| c.notifications = on),
        divider(look),
        named(look, words::RECEIVED_FILES, files),
        quiet(look, words::FILES_ASK),
    ]
    .spacing(PAD)
    .into()
}

/// Theme, text size, motion.
pub fn appearance<'a>(context: Context<'a>) -> Page<'a> {
    let (look, choices) = (context.look, context.choices);
    let themes = [
        ("theme-system", words::THEME_SYSTEM, Choice::System),
        ("theme-dark", words::THEME_DARK, Choice::Dark),
        ("theme-light", words::THEME_LIGHT, Choice::Light),
        ("theme-contrast", words::THEME_CONTRAST, Choice::Contrast),
    ];
    let themes = themes
        .into_iter()
        .map(|(id, name, theme)| (id, name, choices.theme == theme, choose(choices, |choices| choices.theme = theme)));
    let sizes = [
        ("text-100", "100 %", 100),
        ("text-125", "125 %", 125),
        ("text-150", "150 %", 150),
        ("text-175", "175 %", 175),
        ("text-200", "200 %", 200),
    ];
    let sizes = sizes.into_iter().map(|(id, name, percent)| {
        (id, name, choices.text_percent == percent, choose(choices, |choices| choices.text_percent = percent))
    });
    column![
        named(look, words::THEME, one_of(look, themes)),
        named(look, words::TEXT_SIZE, one_of(look, sizes)),
        switch(context, "reduced-motion", words::REDUCED_MOTION, choices.reduced_motion, |c, on| c.reduced_motion = on),
    ]
    .spacing(GAP)
    .into()
}

/// Those who were met.
pub fn keys<'a>(context: Context<'a>, known: Option<&'a [KnownPerson]>) -> Page<'a> {
    let look = context.look;
    let Some(known) = known.filter(|known| !known.is_empty()) else { return quiet(look, words::NOBODY_KNOWN).into() };
    let people = known.iter().map(|known| {
        let verified = known.trust == Trust::Verified;
        let badge = verified.then(|| Icon::Verified.coloured(look, Size::Body, look.colours.good));
        let state = if verified { words::VERIFIED } else { words::NOT_VERIFIED };
        let forget = button::with_words(look, Kind::Plain, words::FORGET)
            .small()
            .id(format!("forget {}", known.person.peer))
            .on_press(Message::Ask(Ask::Forget(known.person.peer.to_string())));
        let name = row![strong(look, known.person.name.to_string()), badge].spacing(6).align_y(Alignment::Center);
        let who = column![name, quiet(look, format!("{}, {state}", known.person.peer.short()))].spacing(HALF / 2.0);
        let circle = avatar(look, known.person.name.as_str(), known.person.peer, 36.0);
        row![circle, who.width(Length::Fill), forget].spacing(12).align_y(Alignment::Center).into()
    });
    column![strong(look, words::KNOWN_PEOPLE), Column::with_children(people).spacing(12)].spacing(PAD).into()
}

/// All shortcuts.
pub fn shortcuts<'a>(context: Context<'a>) -> Page<'a> {
    let look = context.look;
    let lines = SHEET.iter().map(|(key, does)| {
        row![strong(look, *key).width(look.scaled(96.0)), label(look, *does).width(Length::Fill)].spacing(PAD).into()
    });
    column(lines).spacing(8).into()
}
